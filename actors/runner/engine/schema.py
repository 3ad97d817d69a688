"""JSON Schemas as they are kept to.

Objects get no keys that their schema does not name, and dates are days that there are: the shapes
that llguidance has for them allow the 29th of February in every year.
"""

from collections.abc import Callable, Iterator
from typing import Any

from actorllm.actors.runner.engine.dates import DATE, DATE_TIME
from actorllm.actors.runner.engine.types import EngineError

__all__ = ["MAX_DEPTH", "chooses_one", "closed", "counted", "dated"]

MAX_DEPTH = 64
"""Schemas within schemas."""

_INNER = ("items", "additionalProperties", "additionalItems", "contains", "not")
_INNER_LISTS = ("prefixItems", "items", "anyOf", "oneOf", "allOf")
_INNER_MAPS = ("properties", "patternProperties", "$defs", "definitions")
_DATES = {"date": f"^{DATE}$", "date-time": f"^{DATE_TIME}$"}
_JOINTS = ("$ref", "allOf", "anyOf", "oneOf")
_SAYS_MORE = frozenset(
    {"additionalProperties", "patternProperties", "unevaluatedProperties", "minProperties",
     "maxProperties", "enum", "const"}
)  # fmt: skip


def closed(schema: Any) -> Any:
    """Forbid further keys where a schema names keys and does not say whether there may be more.

    A model that may add keys goes on adding them. The result is a subset of the schema, and never
    an empty one: a schema that joins others (`allOf`, or `$ref` beside `properties`) stays open,
    since its parts would forbid each other's keys.

    Raises:
        EngineError: The schema nests too deep.
    """
    if any(map(_joins, _schemas(schema, 0))):
        return schema
    return _rewritten(schema, _close)


def dated(schema: Any) -> Any:
    """Write what is to be a date as a pattern, beside the one that there may be.

    Raises:
        EngineError: The schema nests too deep.
    """
    formats = (inner.get("format") for inner in _schemas(schema, 0))
    if any(isinstance(kind, str) and kind in _DATES for kind in formats):
        return _rewritten(schema, _date)
    return schema


def counted(schema: Any) -> None:
    """Find out whether the keys of objects are counted as they are in the answer.

    A key without a name of its own may be written again and again. It counts once in the object.

    Raises:
        EngineError: More keys are demanded than have names, but for one.
    """
    for inner in _schemas(schema, 0):
        least, named = inner.get("minProperties"), inner.get("required", [])
        if type(least) is int and isinstance(named, list) and least > _different(named) + 1:
            raise EngineError("minProperties counts keys that may repeat")


def _different(keys: list[Any]) -> int:
    return len({key for key in keys if isinstance(key, str)})


def chooses_one(schema: Any) -> bool:
    """Whether one of several schemas must hold, and the others must not."""
    return any("oneOf" in inner for inner in _schemas(schema, 0))


def _schemas(schema: Any, depth: int) -> Iterator[dict[str, Any]]:
    """Go through a schema and those within it."""
    if depth > MAX_DEPTH:
        raise EngineError(f"schemas nest deeper than {MAX_DEPTH}")
    if isinstance(schema, dict):
        yield schema
        for inner in _inner(schema):
            yield from _schemas(inner, depth + 1)


def _inner(schema: dict[str, Any]) -> Iterator[Any]:
    for key in _INNER:
        yield schema.get(key)
    for key in _INNER_LISTS:
        if isinstance(listed := schema.get(key), list):
            yield from listed
    for key in _INNER_MAPS:
        if isinstance(named := schema.get(key), dict):
            yield from named.values()


def _joins(schema: dict[str, Any]) -> bool:
    """Whether two sources say which keys an object has."""
    joints = [key for key in _JOINTS if key in schema]
    many = isinstance(schema.get("allOf"), list) and len(schema["allOf"]) > 1
    return many or len(joints) + ("properties" in schema) > 1


def _rewritten(schema: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """Change a schema and those within it."""
    if not isinstance(schema, dict):
        return schema
    made = dict(schema)
    for key in _INNER:
        if isinstance(schema.get(key), dict):
            made[key] = _rewritten(schema[key], change)
    for key in _INNER_LISTS:
        if isinstance(schema.get(key), list):
            made[key] = [_rewritten(inner, change) for inner in schema[key]]
    for key in _INNER_MAPS:
        if isinstance(schema.get(key), dict):
            made[key] = {name: _rewritten(inner, change) for name, inner in schema[key].items()}
    return change(made)


def _close(schema: dict[str, Any]) -> dict[str, Any]:
    return schema | {"additionalProperties": False} if _names_all(schema) else schema


def _date(schema: dict[str, Any]) -> dict[str, Any]:
    kind = schema.get("format")
    pattern = _DATES.get(kind) if isinstance(kind, str) else None
    if pattern is None:
        return schema
    bare = {key: value for key, value in schema.items() if key != "format"}
    if "pattern" not in schema:
        return bare | {"pattern": pattern}
    parts = schema.get("allOf", [])
    return bare | {"allOf": [*parts, {"pattern": pattern}]} if isinstance(parts, list) else schema


def _names_all(schema: dict[str, Any]) -> bool:
    """Whether a schema names keys, all that it requires, and leaves open if there may be more."""
    named, required = schema.get("properties"), schema.get("required", [])
    if not isinstance(named, dict) or not isinstance(required, list) or _SAYS_MORE & set(schema):
        return False
    return all(isinstance(key, str) and key in named for key in required)
