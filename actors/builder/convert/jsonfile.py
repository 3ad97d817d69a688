"""JSON files of unknown origin, and typed looks into them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from actorllm.actors.builder.convert.errors import ConvertError

__all__ = ["MAX_JSON", "Section", "parse_json", "read_json"]

MAX_JSON: Final = 256 << 20
"""Bytes. A tokenizer.json with 256,000 tokens and their merges has about 35 MB."""

_MAX_INT: Final = 2**31 - 1
_SHOWN: Final = 60


def parse_json(data: bytes, name: str) -> dict[str, Any]:
    """Decode an object.

    Raises:
        ConvertError: It is none, it is nested too deeply, or a key occurs twice.
    """
    try:
        found = json.loads(data, object_pairs_hook=lambda pairs: _unique(pairs, name))
    except (ValueError, RecursionError) as e:
        raise ConvertError(f"{name} is not valid JSON") from e
    if not isinstance(found, dict):
        raise ConvertError(f"{name} holds no JSON object")
    return found


def _unique(pairs: list[tuple[str, Any]], name: str) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ConvertError(f"{name} has a key twice")
    return found


def read_json(path: Path) -> dict[str, Any] | None:
    """Read an object from a file; None: there is no such file.

    Raises:
        ConvertError: See `parse_json`; or the file is too large.
    """
    try:
        if path.stat().st_size > MAX_JSON:
            raise ConvertError(f"{path.name} is larger than {MAX_JSON >> 20} MiB")
        return parse_json(path.read_bytes(), path.name)
    except FileNotFoundError:
        return None


class Section:
    """An object of a JSON file whose values are looked at with their types.

    Every look raises `ConvertError` where a value is missing or is not what it must be.

    Args:
        values: The object.
        name: Of the file, for messages.
        defaults: What values that are missing, or null, have.
    """

    def __init__(
        self, values: Mapping[str, Any], name: str, defaults: Mapping[str, Any] | None = None
    ) -> None:
        self._values = values
        self._defaults = defaults or {}
        self.name = name

    def with_defaults(self, defaults: Mapping[str, Any]) -> "Section":
        """Return the same object with other defaults."""
        return Section(self._values, self.name, defaults)

    def raw(self, *keys: str) -> Any:
        """Return the first value that is there and not null, else a default, else None."""
        for source in (self._values, self._defaults):
            for key in keys:
                if source.get(key) is not None:
                    return source[key]
        return None

    def section(self, key: str) -> "Section | None":
        value = self.raw(key)
        if value is not None and not isinstance(value, dict):
            raise self._wrong((key,), "an object")
        return None if value is None else Section(value, self.name, None)

    def integer(self, *keys: str, least: int = 1, most: int = _MAX_INT) -> int:
        """Return a whole number.

        Args:
            keys: Names under which it may be, the best first.
            least: Smallest value that is allowed.
            most: Largest value that is allowed.
        """
        value = self.raw(*keys)
        if type(value) is not int or not least <= value <= most:
            raise self._wrong(keys, f"a whole number from {least} to {most}")
        return value

    def optional_integer(self, *keys: str, least: int = 1) -> int | None:
        return None if self.raw(*keys) is None else self.integer(*keys, least=least)

    def number(self, *keys: str) -> float:
        value = self.raw(*keys)
        if type(value) not in {int, float} or not abs(value) < 1e30:
            raise self._wrong(keys, "a number")
        return float(value)

    def optional_number(self, *keys: str) -> float | None:
        return None if self.raw(*keys) is None else self.number(*keys)

    def text(self, *keys: str) -> str | None:
        value = self.raw(*keys)
        if value is not None and not isinstance(value, str):
            raise self._wrong(keys, "a text")
        return value

    def flag(self, key: str, *, default: bool = False) -> bool:
        value = self.raw(key)
        if value is not None and not isinstance(value, bool):
            raise self._wrong((key,), "true or false")
        return default if value is None else value

    def numbers(self, key: str, most: int = 4096) -> list[float] | None:
        """Return a list of numbers, None if there is none."""
        value = self.raw(key)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) > most:
            raise self._wrong((key,), f"a list of at most {most} numbers")
        if any(type(item) not in {int, float} or not abs(item) < 1e30 for item in value):
            raise self._wrong((key,), "a list of numbers")
        return [float(item) for item in value]

    def texts(self, key: str) -> list[str]:
        """Return a list of texts; a missing one is empty."""
        value = self.raw(key)
        if value is None:
            return []
        if not isinstance(value, list) or any(not isinstance(item, str) for item in value):
            raise self._wrong((key,), "a list of texts")
        return value

    def _wrong(self, keys: tuple[str, ...], kind: str) -> ConvertError:
        value = self.raw(*keys)
        if value is None:
            return ConvertError(f"{self.name} does not say {keys[0]}")
        shown = json.dumps(value)[:_SHOWN]
        return ConvertError(f"{self.name}: {keys[0]} must be {kind}, not {shown}")
