"""Kinds of values that JSON holds, read by the rules of Go's `encoding/json`."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

import attrs

from actorllm.http.wire import base64
from actorllm.http.wire.mismatch import Mismatch, found
from actorllm.protocol.gojson import Number

__all__ = [
    "ANY",
    "BOOL",
    "BYTES",
    "FLOAT32",
    "FLOAT64",
    "INT",
    "MANY_DIGITS",
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
    "UnorderedError",
]

MANY_DIGITS = 20
"""Characters of an int64 with its sign."""


class Kind(Protocol):
    """How one kind of value is read."""

    @property
    def go(self) -> str:
        """What Go calls the type."""

    @property
    def zero(self) -> Any:
        """What null is in a list or an object."""

    def read(self, value: Any) -> Any:
        """Take a decoded value that is not null.

        Raises:
            ValueError: It is not of this kind.
        """


@attrs.frozen
class _Scalar:
    go: str
    type: type

    @property
    def zero(self) -> Any:
        return self.type()

    def read(self, value: Any) -> Any:
        if type(value) is not self.type:
            raise Mismatch(found(value), self.go)
        return value


@attrs.frozen
class _Int:
    go: str = "int"
    least: int = -(2**63)
    most: int = 2**63 - 1

    @property
    def zero(self) -> Any:
        return 0

    def read(self, value: Any) -> int:
        if type(value) is int and self.least <= value <= self.most:
            return value
        if isinstance(value, Number):
            literal = value.literal
            plain = literal.lstrip("-").isdigit() and len(literal) <= MANY_DIGITS
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

    @property
    def zero(self) -> Any:
        return 0.0

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

    zero: ClassVar[None] = None

    def read(self, value: Any) -> Any:
        _check_sizes(value)
        return value


@attrs.frozen
class _Raw:
    """JSON that is read later; that it is null is seen, too."""

    go: str = "json.RawMessage"

    zero: ClassVar[None] = None

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

    @property
    def zero(self) -> Any:
        return b""

    def read(self, value: Any) -> bytes:
        if isinstance(value, str):
            return base64.decode(value)
        if not isinstance(value, list):
            raise Mismatch(found(value), self.go)
        return bytes(0 if item is None else _UINT8.read(item) for item in value)


@attrs.frozen
class List:
    """An array of one kind; read as a tuple."""

    item: Kind
    go: str = attrs.field(default=attrs.Factory(lambda self: f"[]{self.item.go}", takes_self=True))

    zero: ClassVar[None] = None

    def read(self, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Mismatch(found(value), self.go)
        read = self.item.read
        return tuple(read(v) if v is not None else self.item.zero for v in value)


@attrs.frozen
class Map:
    """An object whose values are of one kind."""

    item: Kind
    go: str = attrs.field(
        default=attrs.Factory(lambda self: f"map[string]{self.item.go}", takes_self=True)
    )

    zero: ClassVar[None] = None

    def read(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Mismatch(found(value), self.go)
        read = self.item.read
        return {k: read(v) if v is not None else self.item.zero for k, v in value.items()}


@attrs.frozen
class Custom:
    """A value with rules of its own."""

    reader: Callable[[Any], Any]
    """Raises ValueError with its text, or Refused."""
    go: str = ""
    schema: Mapping[str, Any] = attrs.field(factory=dict, eq=False)
    """What it takes, as JSON Schema."""

    zero: ClassVar[None] = None

    def read(self, value: Any) -> Any:
        return self.reader(value)


@attrs.frozen
class Later:
    """A kind that is defined below what holds it, such as a struct that holds its like."""

    go: str
    kind: Callable[[], Kind]

    @property
    def zero(self) -> Any:
        return self.kind().zero

    def read(self, value: Any) -> Any:
        return self.kind().read(value)


@attrs.frozen
class Ordered:
    """An object whose keys keep their order; Go reads it by code of its own."""

    item: Kind
    go: str = ""

    zero: ClassVar[None] = None

    def read(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise UnorderedError("Value looks like object, but can't find closing '}' symbol")
        read = self.item.read
        try:
            return {k: read(v) if v is not None else self.item.zero for k, v in value.items()}
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

    zero: ClassVar[None] = None

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
_UINT8 = _Int("uint8", 0, 255)
BYTES = Bytes()
