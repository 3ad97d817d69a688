"""JSON Schemas as they are kept to: objects get no keys that their schema does not name."""

from collections.abc import Iterator
from typing import Any

from actorllm.actors.runner.engine.types import EngineError

__all__ = ["MAX_DEPTH", "closed"]

MAX_DEPTH = 64
"""Schemas within schemas."""

_INNER = ("items", "additionalProperties", "additionalItems", "contains", "not")
_INNER_LISTS = ("prefixItems", "items", "anyOf", "oneOf", "allOf")
_INNER_MAPS = ("properties", "patternProperties", "$defs", "definitions")
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
    return _closed(schema)


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


def _closed(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    made = dict(schema)
    for key in _INNER:
        if isinstance(schema.get(key), dict):
            made[key] = _closed(schema[key])
    for key in _INNER_LISTS:
        if isinstance(schema.get(key), list):
            made[key] = [_closed(inner) for inner in schema[key]]
    for key in _INNER_MAPS:
        if isinstance(schema.get(key), dict):
            made[key] = {name: _closed(inner) for name, inner in schema[key].items()}
    if _names_all(schema):
        made["additionalProperties"] = False
    return made


def _names_all(schema: dict[str, Any]) -> bool:
    """Whether a schema names keys, all that it requires, and leaves open if there may be more."""
    named, required = schema.get("properties"), schema.get("required", [])
    if not isinstance(named, dict) or not isinstance(required, list) or _SAYS_MORE & set(schema):
        return False
    return all(isinstance(key, str) and key in named for key in required)
