"""From decoded JSON to typed request bodies, by the rules of Go's `encoding/json`.

A body is a frozen class whose annotations say what is read:

    @body("api.CopyRequest")
    class CopyBody:
        source: str = ""
        destination: str = ""

Keys match their field without regard to case, the later one wins; unknown keys are ignored; null
leaves the default. A value of another type is an error in Go's words, the first one in the document
wins; but before all of them comes what types say that have decoding code of their own, such as
durations. `given(...)` says what an annotation cannot: another key or another kind.
"""

import math
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, Protocol, TypeVar, dataclass_transform, get_args, get_origin, get_type_hints

import attrs

from actorllm.http.wire import base64
from actorllm.http.wire.mismatch import Mismatch, found
from actorllm.protocol.gojson import Number, loads

__all__ = [
    "ANY",
    "BOOL",
    "BYTES",
    "FLOAT32",
    "FLOAT64",
    "INT",
    "OBJECT",
    "RAW",
    "STRING",
    "Bytes",
    "Checked",
    "Custom",
    "Kind",
    "Later",
    "List",
    "Map",
    "Ordered",
    "Struct",
    "UnorderedError",
    "bind",
    "body",
    "given",
    "struct_of",
]

T = TypeVar("T")

_MANY_DIGITS = 20
"""Characters of an int64 with its sign."""


class Kind(Protocol):
    """How one kind of value is read."""

    @property
    def go(self) -> str:
        """What Go calls the type."""

    def read(self, value: Any) -> Any:
        """Take a decoded value that is not null.

        Raises:
            ValueError: It is not of this kind.
        """


@attrs.frozen
class _Scalar:
    go: str
    type: type

    def read(self, value: Any) -> Any:
        if type(value) is not self.type:
            raise Mismatch(found(value), self.go)
        return value


@attrs.frozen
class _Int:
    go: str = "int"
    least: int = -(2**63)
    most: int = 2**63 - 1

    def read(self, value: Any) -> int:
        if type(value) is int and self.least <= value <= self.most:
            return value
        if isinstance(value, Number):
            literal = value.literal
            plain = literal.lstrip("-").isdigit() and len(literal) <= _MANY_DIGITS
            if plain and self.least <= int(literal) <= self.most:
                return int(literal)
            raise Mismatch(f"number {literal}", self.go)
        if type(value) is int or isinstance(value, float):
            raise Mismatch(f"number {value}", self.go)
        raise Mismatch(found(value), self.go)


@attrs.frozen
class _Float:
    go: str
    most: float

    def read(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Mismatch(found(value), self.go)
        if abs(value) > self.most:
            literal = value.literal if isinstance(value, Number) else f"{value}"
            raise Mismatch(f"number {literal}", self.go)
        return float(value)


@attrs.frozen
class _Any:
    go: str = "interface {}"

    def read(self, value: Any) -> Any:
        _check_sizes(value)
        return value


@attrs.frozen
class _Raw:
    """JSON that is read later; that it is null is seen, too."""

    go: str = "json.RawMessage"

    def read(self, value: Any) -> Any:
        return value


def _check_sizes(value: Any) -> None:
    """Refuse numbers that are too large; only those that remember their spelling can be."""
    if isinstance(value, Number):
        FLOAT64.read(value)
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _check_sizes(item)


@attrs.frozen
class Bytes:
    """Bytes in base64, or as an array of numbers."""

    go: str = "[]uint8"

    def read(self, value: Any) -> bytes:
        if isinstance(value, str):
            return base64.decode(value)
        if not isinstance(value, list):
            raise Mismatch(found(value), self.go)
        return bytes(_UINT8.read(item) for item in value if item is not None)


@attrs.frozen
class List:
    """An array of one kind; read as a tuple."""

    item: Kind
    go: str = attrs.field(default=attrs.Factory(lambda self: f"[]{self.item.go}", takes_self=True))

    def read(self, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Mismatch(found(value), self.go)
        read = self.item.read
        return tuple(read(v) if v is not None else _zero(self.item) for v in value)


@attrs.frozen
class Map:
    """An object whose values are of one kind."""

    item: Kind
    go: str = attrs.field(
        default=attrs.Factory(lambda self: f"map[string]{self.item.go}", takes_self=True)
    )

    def read(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Mismatch(found(value), self.go)
        read = self.item.read
        return {k: read(v) if v is not None else _zero(self.item) for k, v in value.items()}


@attrs.frozen
class Custom:
    """A value with rules of its own."""

    reader: Callable[[Any], Any]
    """Raises ValueError with its text, or Refused."""
    go: str = ""
    schema: Mapping[str, Any] = attrs.field(factory=dict, eq=False)
    """What it takes, as JSON Schema."""

    def read(self, value: Any) -> Any:
        return self.reader(value)


@attrs.frozen
class Later:
    """A kind that is defined below what holds it, such as a struct that holds its like."""

    go: str
    kind: Callable[[], Kind]

    def read(self, value: Any) -> Any:
        return self.kind().read(value)


@attrs.frozen
class Ordered:
    """An object whose keys keep their order; Go reads it by code of its own."""

    item: Kind
    go: str = ""

    def read(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise UnorderedError("Value looks like object, but can't find closing '}' symbol")
        read = self.item.read
        try:
            return {k: read(v) if v is not None else _zero(self.item) for k, v in value.items()}
        except Mismatch as e:
            e.struct = None
            raise


class UnorderedError(ValueError):
    """What should be an object is none, in the words of the library that the reference has."""


@attrs.frozen
class Checked:
    """An array whose items are checked against a kind and kept as they are; nulls are left out."""

    checked: List

    @property
    def go(self) -> str:
        return self.checked.go

    def read(self, value: Any) -> tuple[Any, ...]:
        self.checked.read(value)
        return tuple(item for item in value if item is not None)


STRING = _Scalar("string", str)
BOOL = _Scalar("bool", bool)
INT = _Int()
FLOAT32 = _Float("float32", 3.4028234663852886e38)
FLOAT64 = _Float("float64", 1.7976931348623157e308)
ANY = _Any()
RAW = _Raw()
OBJECT = Map(ANY)
_UINT8 = _Int("uint8", 0, 255)
BYTES = Bytes()

_SIMPLE: dict[Any, Kind] = {
    str: STRING,
    bool: BOOL,
    int: INT,
    float: FLOAT64,
    bytes: BYTES,
    Any: ANY,
}
_ZEROS: dict[str, Any] = {"string": "", "bool": False, "int": 0}


def _zero(kind: Kind) -> Any:
    if isinstance(kind, Later):
        kind = kind.kind()
    if isinstance(kind, Struct):
        return kind.type()
    if isinstance(kind, Bytes):
        return b""
    return _ZEROS.get(kind.go)


@attrs.frozen
class Struct:
    """An object that is read into a body class."""

    type: type
    go: str
    """`package.Name`."""
    own: bool
    """Go decodes it by code of its own: errors inside name the struct around it."""
    inner: str
    """Another name of the type: that which such code uses, or the text of a type without one."""
    fields: Mapping[str, tuple[str, Kind]]
    """By the key: attribute and kind."""
    folded: Mapping[str, str]
    """Keys by their lower-cased spelling."""

    @property
    def name(self) -> str:
        """What texts call the type within a place; empty: it has no name."""
        return "" if self.inner and not self.own else self.go.rpartition(".")[2]

    def read(self, value: Any) -> Any:
        if not isinstance(value, dict):
            raise Mismatch(found(value), self.inner or self.go)
        read: dict[str, Any] = {}
        wrong: Mismatch | base64.Base64Error | None = None
        for key, item in value.items():
            spelled = key if key in self.fields else self.folded.get(key.lower())
            if spelled is None:
                continue
            attribute, kind = self.fields[spelled]
            if item is None and kind is not RAW:
                continue
            try:
                read[attribute] = kind.read(item)
            except (Mismatch, base64.Base64Error) as e:
                if isinstance(e, Mismatch):
                    e.inside(spelled, self.name, own=self.own)
                if _said_by_own_code(e, kind):
                    raise
                wrong = wrong or e
        if wrong is not None:
            raise wrong
        return self.type(**read)


def _said_by_own_code(error: ValueError, kind: Kind) -> bool:
    item = kind.item if isinstance(kind, List) else kind
    if isinstance(kind, Custom | Ordered):
        return True
    is_whole = isinstance(error, Mismatch) and error.wanted == kind.go
    return isinstance(item, Struct) and item.own and not is_whole


_KIND, _KEY, _STRUCT = "wire_kind", "wire_key", "__wire_struct__"


def given(*, default: Any, kind: Kind | None = None, key: str = "") -> Any:
    """Declare a field whose key or kind its name and annotation do not tell."""
    return attrs.field(default=default, metadata={_KIND: kind, _KEY: key})


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(given,))
def body(go: str, *, own: str = "", unnamed: str = "") -> Callable[[type[T]], type[T]]:
    """Make a class a body, or a part of one; every field needs a default.

    Args:
        go: What Go calls the type: `package.Name`.
        own: Where Go decodes the type by code of its own, the name which that uses.
        unnamed: Where the type has no name in Go, its text.
    """

    def make(cls: type[T]) -> type[T]:
        made: Any = attrs.frozen(kw_only=True, eq=False, repr=False, slots=False)(cls)
        hints = get_type_hints(made)
        fields = {}
        for a in attrs.fields(made):
            kind = a.metadata.get(_KIND) or _kind_of(hints[a.name])
            fields[a.metadata.get(_KEY) or a.name] = (a.name, kind)
        folded = {key.lower(): key for key in fields}
        setattr(made, _STRUCT, Struct(made, go, bool(own), own or unnamed, fields, folded))
        checked: type[T] = made
        return checked

    return make


def struct_of(cls: type) -> Struct:
    """Return how a body class is read."""
    struct: Struct = getattr(cls, _STRUCT)
    return struct


def _kind_of(hint: Any) -> Kind:
    if isinstance(hint, UnionType):
        hint = next(a for a in get_args(hint) if a is not NoneType)
    simple = _SIMPLE.get(hint)
    if simple is not None:
        return simple
    if get_origin(hint) is tuple:
        return List(_kind_of(get_args(hint)[0]))
    if get_origin(hint) is dict:
        return Map(_kind_of(get_args(hint)[1]))
    struct = getattr(hint, _STRUCT, None)
    if isinstance(struct, Struct):
        return struct
    raise TypeError(f"{hint} is no kind of the wire")


def bind(cls: type[T], data: bytes) -> T:
    """Read a body.

    Raises:
        JsonError: The bytes are no JSON, or empty.
        ValueError: A value is of another kind than its field; the text is the client's.
    """
    struct = struct_of(cls)
    try:
        return _bound(cls, struct, loads(data))
    except (Mismatch, OverflowError):
        # Once more with the spelling of numbers, which the text quotes.
        value = loads(data, literals=True)
        _bound(cls, struct, value)
    # A number that is too large is where nobody reads.
    return _bound(cls, struct, _without_spelling(value))


def _without_spelling(value: Any) -> Any:
    """Make numbers plain again; those that are too large become zero."""
    if isinstance(value, Number):
        read = float(value)
        if not math.isfinite(read):
            return 0
        whole = value.literal.lstrip("-").isdigit() and len(value.literal) <= _MANY_DIGITS
        return int(value.literal) if whole else read
    if isinstance(value, list):
        return [_without_spelling(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_spelling(item) for key, item in value.items()}
    return value


def _bound(cls: type[T], struct: Struct, value: Any) -> T:
    made = struct.read(value) if value is not None else cls()
    assert isinstance(made, cls)
    return made
