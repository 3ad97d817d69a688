"""Declared schemas of values, taken apart: references followed, unions and lists of types split."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from actorllm.protocol.chat import JsonObject

__all__ = [
    "alternatives",
    "moved",
    "options_of",
    "property_of",
    "type_of",
    "types_of",
    "with_definitions",
]

_DEFINITIONS = ("$defs", "definitions")
_UNIONS = ("anyOf", "oneOf")
_REFERENCES = 8
"""References that lead to further ones."""
_LEVELS = 4
"""Unions within unions."""
_MOST = 64
"""Alternatives of one value; a schema with more stays whole."""
_SAID_TWICE = frozenset({"title", "description", "default", "examples", *_DEFINITIONS})
"""Keywords of which a branch's own stands, since they do not limit values."""
_VALUES = frozenset({"enum", "const", "default", "examples"})
"""Keywords that hold values and no schemas."""


def with_definitions(schema: Any, whole: JsonObject) -> JsonObject:
    """Give a part of a schema for itself, with the definitions that it may refer to."""
    kept: JsonObject = {key: whole[key] for key in _DEFINITIONS if key in whole}
    return {**kept, **schema} if isinstance(schema, dict) else kept


def alternatives(schema: JsonObject) -> list[JsonObject]:
    """Give schemas of one type each, of which a value has to keep to one.

    One without a type is for any value, or has what could not be taken apart: a reference that
    leads nowhere or to itself, or sources that say the same keyword.
    """
    found = list(islice(_split(schema, 0), _MOST + 1))
    return found if len(found) <= _MOST else [schema]


def moved(schema: Any, where: str) -> Any:
    """Give a schema that stands at a pointer within another one: its references lead there, too."""
    if isinstance(schema, list):
        return [moved(inner, where) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: value if key in _VALUES else moved(value, where) for key, value in schema.items()}
    reference = made.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        made["$ref"] = f"#{where}{reference[1:]}"
    return made


def options_of(schema: JsonObject) -> list[Any] | None:
    """Give the values that a schema lists."""
    if "const" in schema:
        return [schema["const"]]
    listed = schema.get("enum")
    return listed if isinstance(listed, list) and listed else None


def property_of(schema: JsonObject, key: str) -> JsonObject | None:
    """Give the schema of one property of an object, or None if it is not declared."""
    for each in alternatives(schema):
        properties = each.get("properties")
        found = properties.get(key) if isinstance(properties, dict) else None
        if isinstance(found, dict):
            return with_definitions(found, each)
    return None


def types_of(schema: JsonObject) -> tuple[str, ...]:
    """Give the types that a value may have: as it is declared, else those of the listed values."""
    found: list[Any] = []
    for each in alternatives(schema):
        kind = each.get("type")
        if kind is None:
            found += map(type_of, options_of(each) or ())
        else:
            found += kind if isinstance(kind, list) else [kind]
    return tuple(dict.fromkeys(kind for kind in found if isinstance(kind, str)))


def type_of(value: Any) -> str:
    """Name the type of a JSON value."""
    if value is None:
        return "null"
    kinds = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array"}
    return kinds.get(type(value), "object")


def _split(schema: JsonObject, depth: int) -> Iterator[JsonObject]:
    schema = _followed(schema)
    branches = _branches(schema)
    if branches and depth < _LEVELS:
        for branch in branches[: _MOST + 1]:
            yield from _split(branch, depth + 1)
        return
    declared = schema.get("type")
    kinds = declared if isinstance(declared, list) and options_of(schema) is None else ()
    listed = [kind for kind in kinds if isinstance(kind, str)]
    yield from ({**schema, "type": kind} for kind in listed)
    if not listed:
        yield schema


def _followed(schema: JsonObject) -> JsonObject:
    """Put what a reference, or an `allOf` with one part, stands for in its place."""
    for _ in range(_REFERENCES):
        rest = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
        parts = schema.get("allOf")
        if "$ref" in schema and "allOf" not in schema:
            part = _target(schema)
        elif "$ref" not in schema and isinstance(parts, list) and len(parts) == 1:
            part = parts[0]
        else:
            return schema
        joined = _joined(rest, part) if isinstance(part, dict) else None
        if joined is None:
            return schema
        schema = joined
    return schema


def _target(schema: JsonObject) -> Any:
    where = schema["$ref"]
    if not isinstance(where, str) or not where.startswith("#/"):
        return None
    target: Any = schema
    for step in where[2:].split("/")[:_REFERENCES]:
        key = step.replace("~1", "/").replace("~0", "~")
        target = target.get(key) if isinstance(target, dict) else None
    return target


def _joined(schema: JsonObject, part: JsonObject) -> JsonObject | None:
    """Join two schemas; None if they say a keyword in two ways."""
    for key in (schema.keys() & part.keys()) - _SAID_TWICE:
        if not isinstance(part[key], str) or schema[key] != part[key]:
            return None
    return {**schema, **part, **{key: schema[key] for key in _DEFINITIONS if key in schema}}


def _branches(schema: JsonObject) -> list[JsonObject]:
    """Give the branches of a schema's only union, each with what stands beside it."""
    unions = [key for key in _UNIONS if isinstance(schema.get(key), list)]
    if len(unions) != 1:
        return []
    rest = {key: value for key, value in schema.items() if key != unions[0]}
    joined = [_joined(rest, part) for part in schema[unions[0]] if isinstance(part, dict)]
    found = [branch for branch in joined if branch is not None]
    return found if len(found) == len(joined) else []
