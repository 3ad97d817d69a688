"""Values written as plain text, read as the type that the tool declares."""

import math
import re
from typing import Any

from actorllm.actors.runner.parse.calls import BadCall, load_json
from actorllm.protocol.chat import JsonObject

__all__ = ["coerce", "declared_types"]

_INTEGER = re.compile(r"[+-]?\d{1,18}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")


def declared_types(schema: JsonObject | None) -> tuple[str, ...]:
    """Give the types that a parameter may have, those of its `anyOf` and `oneOf` included."""
    if schema is None:
        return ()
    declared = schema.get("type")
    listed = declared if isinstance(declared, list) else [declared]
    types = [each for each in listed if isinstance(each, str)]
    for union in ("anyOf", "oneOf"):
        branches = schema.get(union)
        for branch in branches if isinstance(branches, list) else []:
            if isinstance(branch, dict):
                types += declared_types({"type": branch.get("type")})
    return tuple(types)


def coerce(text: str, types: tuple[str, ...]) -> Any:
    """Read `text` as the first of `types` that fits, in the order below; else it stays a string.

    The order is null, boolean, integer, number, array, object, string, as the formats that write
    values without their type have it. `null` is null whatever the type. Without a type the value
    is a string.
    """
    if text.strip().lower() == "null":
        return None
    readers = {"boolean": _boolean, "integer": _integer, "number": _number}
    for name, reader in readers.items():
        if name in types and (value := reader(text)) is not None:
            return value
    for name, kind in (("array", list), ("object", dict)):
        if name in types and isinstance(value := _json(text), kind):
            return value
    # A boolean that says neither true nor false is false where nothing else was declared.
    return False if types == ("boolean",) else text


def _boolean(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.strip().lower())


def _integer(text: str) -> int | None:
    return int(text) if _INTEGER.fullmatch(text) else None


def _number(text: str) -> int | float | None:
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _json(text: str) -> Any:
    try:
        return load_json(text)
    except BadCall:
        return None
