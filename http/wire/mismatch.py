"""A value of another type than its field, in the words of Go's decoder."""

from typing import Any

__all__ = ["Mismatch", "found"]


class Mismatch(ValueError):  # noqa: N818 -- what it says is the error's whole text
    """A value has another type than its field; knows the way from the body to the field."""

    def __init__(self, found: str, wanted: str) -> None:
        super().__init__()
        self.found = found
        self.wanted = wanted
        self.struct: str | None = None
        """What Go calls the type that the field is in; it may have no name."""
        self.path: tuple[str, ...] = ()

    def inside(self, key: str, struct: str, *, own: bool) -> None:
        """Note the field that the value is in.

        Args:
            key: Of the field.
            struct: What Go calls the type that has it.
            own: Its decoding code is its own, which does not say where the error was.
        """
        self.path = (key, *self.path)
        if own:
            self.struct = None
        elif self.struct is None:
            self.struct = struct

    def __str__(self) -> str:
        place = "value"
        if self.path:
            place = f"struct field {self.struct or ''}.{'.'.join(self.path)}"
        return f"json: cannot unmarshal {self.found} into Go {place} of type {self.wanted}"


def found(value: Any) -> str:
    """Name the kind of a decoded value as Go's texts do."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"
