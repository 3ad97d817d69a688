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
from typing import Any, TypeVar, dataclass_transform, get_args, get_origin, get_type_hints

import attrs

from actorllm.http.wire import base64
from actorllm.http.wire.mismatch import Mismatch, found
from actorllm.http.wire.values import (
    ANY,
    BOOL,
    BYTES,
    FLOAT64,
    INT,
    MANY_DIGITS,
    RAW,
    STRING,
    Custom,
    Kind,
    List,
    Map,
    Ordered,
)
from actorllm.protocol.gojson import Number, loads

__all__ = ["Struct", "bind", "body", "given", "struct_of"]

T = TypeVar("T")


_SIMPLE: dict[Any, Kind] = {
    str: STRING,
    bool: BOOL,
    int: INT,
    float: FLOAT64,
    bytes: BYTES,
    Any: ANY,
}


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
    def zero(self) -> Any:
        return self.type()

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
        whole = value.literal.lstrip("-").isdigit() and len(value.literal) <= MANY_DIGITS
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
