"""Values written as plain text, read as the type that the tool declares."""

import math
import re
from typing import Any

from actorllm.actors.runner.parse.calls import BadCall, load_json
from actorllm.actors.runner.parse.schemas import types_of
from actorllm.protocol.chat import JsonObject

__all__ = ["coerce"]

_INTEGER = re.compile(r"[+-]?\d{1,18}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")


def coerce(text: str, schema: JsonObject | None) -> Any:
    """Read `text` as the first of its declared types that fits; else it stays a string.

    The order is null, boolean, integer, number, array, object, string, as the formats that write
    values without their type have it. `null` is null whatever the type. Without a type the value
    is a string.
    """
    if text.strip().lower() == "null":
        return None
    types = types_of(schema or {})
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
