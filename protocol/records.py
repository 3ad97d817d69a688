"""Equality, hash and text of frozen attrs classes, written once.

attrs would write and compile them for each class: with more than a hundred kinds of messages that is
a twelfth of a daemon's start, for methods that hardly anybody calls.
"""

from typing import Any, ClassVar, TypeVar

import attrs

__all__ = ["record"]

T = TypeVar("T")


def record(cls: type[T]) -> type[T]:
    """Make a class a frozen attrs class. What it defines itself stays its own."""
    for name in ("__eq__", "__hash__", "__repr__"):
        if name not in cls.__dict__:
            setattr(cls, name, _Record.__dict__[name])
    return attrs.frozen(cls)


class _Record:
    """The methods that records share."""

    __attrs_attrs__: ClassVar[tuple["attrs.Attribute[Any]", ...]]

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        fields = self.__attrs_attrs__
        return all(getattr(self, a.name) == getattr(other, a.name) for a in fields if a.eq)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, a.name) for a in self.__attrs_attrs__ if a.eq))

    def __repr__(self) -> str:
        fields = (f"{a.name}={getattr(self, a.name)!r}" for a in self.__attrs_attrs__ if a.repr)
        name = type(self).__qualname__.rpartition(">.")[2]  # within a function: without it
        return f"{name}({', '.join(fields)})"
