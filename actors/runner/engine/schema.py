"""JSON Schemas as trees, and objects as they are kept to: without keys that nobody has named."""

from collections.abc import Callable, Iterator
from typing import Any

from actorllm.actors.runner.engine.types import EngineError

__all__ = [
    "MAX_DEPTH",
    "Schema",
    "chooses_one",
    "closed",
    "counted",
    "names_openly",
    "rewritten",
    "schemas",
]

Schema = dict[str, Any]

MAX_DEPTH = 64
"""Schemas within schemas."""

_VALUES = frozenset({"const", "enum"})
_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions"})
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
    if any(map(_joins, schemas(schema))):
        return schema
    return rewritten(schema, _close)


def counted(schema: Any) -> None:
    """Find out whether the keys of objects are counted as they are in the answer.

    A key without a name of its own may be written again and again. It counts once in the object.

    Raises:
        EngineError: More keys are demanded than have names, but for one.
    """
    for inner in schemas(schema):
        least, named = inner.get("minProperties"), inner.get("required", [])
        if type(least) is int and isinstance(named, list) and least > _different(named) + 1:
            raise EngineError("minProperties counts keys that may repeat")


def _different(keys: list[Any]) -> int:
    return len({key for key in keys if isinstance(key, str)})


def chooses_one(schema: Any) -> bool:
    """Whether one of several schemas must hold, and the others must not."""
    return any("oneOf" in inner for inner in schemas(schema))


def names_openly(schema: Any) -> bool:
    """Whether an object has keys of which more is said than of others that it may have."""
    return any(
        inner.get("additionalProperties") is not False
        and bool(inner.get("properties") or inner.get("patternProperties"))
        for inner in schemas(schema)
    )


def schemas(schema: Any, depth: int = 0) -> Iterator[Schema]:
    """Go through a schema and those within it, wherever a reference can find them.

    Raises:
        EngineError: They nest too deep.
    """
    if depth > MAX_DEPTH:
        raise EngineError(f"schemas nest deeper than {MAX_DEPTH}")
    if isinstance(schema, dict):
        yield schema
        for key, value in schema.items():
            for inner in _within(key, value):
                yield from schemas(inner, depth + 1)


def _within(key: str, value: Any) -> Iterator[Any]:
    """Give the schemas that a keyword has; those that nobody knows may have some, too."""
    if isinstance(value, list) and key not in _VALUES:
        yield from value
    elif isinstance(value, dict) and key in _MAPS:
        yield from value.values()
    elif key not in _VALUES:
        yield value


def rewritten(schema: Any, change: Callable[[Schema], Schema]) -> Any:
    """Change a schema and those within it, the inner ones first."""
    if not isinstance(schema, dict):
        return schema
    made: Schema = {}
    for key, value in schema.items():
        if key in _VALUES:
            made[key] = value
        elif isinstance(value, list):
            made[key] = [rewritten(inner, change) for inner in value]
        elif isinstance(value, dict) and key in _MAPS:
            made[key] = {name: rewritten(inner, change) for name, inner in value.items()}
        else:
            made[key] = rewritten(value, change)
    return change(made)


def _joins(schema: dict[str, Any]) -> bool:
    """Whether two sources say which keys an object has."""
    joints = [key for key in _JOINTS if key in schema]
    many = isinstance(schema.get("allOf"), list) and len(schema["allOf"]) > 1
    return many or len(joints) + ("properties" in schema) > 1


def _close(schema: dict[str, Any]) -> dict[str, Any]:
    return schema | {"additionalProperties": False} if _names_all(schema) else schema


def _names_all(schema: dict[str, Any]) -> bool:
    """Whether a schema names keys, all that it requires, and leaves open if there may be more."""
    named, required = schema.get("properties"), schema.get("required", [])
    if not isinstance(named, dict) or not isinstance(required, list) or _SAYS_MORE & set(schema):
        return False
    return all(isinstance(key, str) and key in named for key in required)
