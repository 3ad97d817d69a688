"""Strings of JSON Schemas: patterns that all readers read alike, and formats that are kept to.

Patterns are ECMAScript's, and Rust's engine reads them. Within a class of characters it takes some
marks for operators that are plain characters there, so these are to be written with a backslash.
"""

import re
from typing import Any

from actorllm.actors.runner.engine.dates import DATE, DATE_TIME, TIME
from actorllm.actors.runner.engine.schema import Schema, rewritten, schemas
from actorllm.actors.runner.engine.types import EngineError

__all__ = ["formatted", "readable"]

_MOST_KEYS = 64
"""Patterns of keys. Each is compared with each, which takes a hundredth of a second then."""
_MOST_PAIRS = 500_000
"""Of them, in all places where schemas are joined, for there they are compared anew: some seconds."""
_LONGEST_HOST = 253
_CLASS = re.compile(r"\\.|\[(\^?(?:\\.|[^\]\\])*)\]|.", re.DOTALL)
_OPERATOR = re.compile(r"(?:\\.)+|(\[|&&|--|~~)", re.DOTALL)
_LABEL = "[0-9A-Za-z](-?[0-9A-Za-z]){0,31}"
"""Of a name of a host. Without two hyphens in a row: those are for names in other scripts."""
_FORMATS: dict[str, Schema] = {
    "date": {"pattern": f"^{DATE}$"},
    "date-time": {"pattern": f"^{DATE_TIME}$"},
    "time": {"pattern": f"^{TIME}$"},
    "hostname": {"pattern": rf"^{_LABEL}(\.{_LABEL})*$", "maxLength": _LONGEST_HOST},
}
"""Where llguidance allows more: the 29th of February in every year, a leap second at any time."""


def readable(schema: Any) -> None:
    """Find out whether the patterns of a schema have one meaning, and are few enough.

    Raises:
        EngineError: One of them has not, or there are too many of keys.
    """
    keys = joined = 0
    for inner in schemas(schema):
        if isinstance(pattern := inner.get("pattern"), str):
            _unambiguous("pattern", pattern)
        joined += ("$ref" in inner and len(inner) > 1) or "allOf" in inner
        named = inner.get("patternProperties")
        for pattern in named if isinstance(named, dict) else ():
            _unambiguous("patternProperties", pattern)
            keys += 1
    if keys > _MOST_KEYS:
        raise EngineError(f"patternProperties has more than {_MOST_KEYS} patterns in all")
    if keys * keys * joined > _MOST_PAIRS:
        raise EngineError(f"patternProperties has too many patterns to be joined {joined} times")


def _unambiguous(keyword: str, pattern: str) -> None:
    for found in _CLASS.finditer(pattern):
        for mark in _OPERATOR.finditer(found[1] or ""):
            if mark[1]:
                shown = mark[1] if len(mark[1]) == 1 else mark[1][0]
                raise EngineError(f"{keyword}: {shown} in a class is to be written \\{shown}")


def formatted(schema: Any) -> Any:
    """Write formats as patterns, beside those that there may be."""
    return rewritten(schema, _plain)


def _plain(schema: Schema) -> Schema:
    kind = schema.get("format")
    said = _FORMATS.get(kind) if isinstance(kind, str) else None
    if said is None:
        return schema
    bare = {key: value for key, value in schema.items() if key != "format"}
    if not set(said) & set(schema):
        return bare | said
    parts = schema.get("allOf", [])
    return bare | {"allOf": [*parts, said]} if isinstance(parts, list) else schema
