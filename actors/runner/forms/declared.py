"""Declared tools, with schemas of their arguments that can be kept to."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from attrs import frozen

from actorllm.actors.runner.engine.grammar import check
from actorllm.actors.runner.engine.schema import closed
from actorllm.actors.runner.engine.types import EngineError, Structure
from actorllm.actors.runner.forms.grammar import Grammar
from actorllm.actors.runner.parse.schemas import alternatives, with_definitions
from actorllm.protocol.chat import JsonObject, Tool

__all__ = [
    "Parameters",
    "callables",
    "json_arguments",
    "members_of",
    "notices_of",
    "object_of",
    "problem_of",
    "properties_of",
]

_ANY_OBJECT: JsonObject = {"type": "object"}
_MOST_NOTICES = 8
"""Tools, and keywords of one tool, of which it is said that they are not held."""
_REMEMBERED = 128
"""Schemas of which is known whether they can be kept to."""
_LOOSENINGS = 6
"""Times that a schema is made looser until it can be kept to."""
_KEPT_KEYS = frozenset({"type", "properties", "items", "object", "required"})
_TOGETHER = (
    *("$ref", "anyOf", "oneOf", "allOf"),
    *("minProperties", "maxProperties", "patternProperties"),
)
_NAMED = ("properties", "patternProperties", "$defs", "definitions")


@frozen
class Parameters:
    """A declared tool: its name and the schema of its arguments, which can be kept to."""

    name: str
    schema: JsonObject


def callables(
    tools: Sequence[Tool], names: Sequence[str] = ()
) -> tuple[list[Parameters], dict[str, str]]:
    """Give the tools that may be called, and what stands against those schemas that cannot be kept.

    Args:
        tools: As they were declared.
        names: Those that may be called; none: all.
    """
    found: list[Parameters] = []
    problems: dict[str, str] = {}
    for tool in tools:
        function = tool.get("function")
        if not isinstance(function, dict):
            continue
        name = function.get("name")
        if not isinstance(name, str) or not name or (names and name not in names):
            continue
        schema, problem = _kept(function.get("parameters"))
        if problem:
            problems[name] = problem
        found.append(Parameters(name, schema))
    return found, problems


def notices_of(problems: Mapping[str, str], left_out: Mapping[str, Sequence[str]]) -> list[str]:
    """Say which arguments are not held to all of their schema, a line for each tool.

    Args:
        problems: As `callables` gives them.
        left_out: Keywords to which the grammar does not hold, by tool.
    """
    names = list(dict.fromkeys([*problems, *left_out]))
    said = [
        f"arguments of {name[:80]!r} are not held to all of their schema: "
        + "; ".join([*filter(None, [problems.get(name)]), *_some(left_out.get(name, ()))])
        for name in names[:_MOST_NOTICES]
    ]
    more = len(names) - len(said)
    return [*said, f"the same is true of {more} more tools"] if more else said


def _some(parts: Sequence[str]) -> list[str]:
    more = len(parts) - _MOST_NOTICES
    return [*parts[:_MOST_NOTICES], f"and {more} more"] if more > 0 else list(parts)


def _kept(schema: Any) -> tuple[JsonObject, str]:
    """Give a schema of an object that can be kept to; and what stood against the declared one."""
    schema = schema or {"type": "object"}
    if not isinstance(schema, dict):
        return _ANY_OBJECT, "parameters is no object"
    properties = schema.get("properties")
    plain = {key: value for key, value in schema.items() if value is not None}
    if properties is not None and not isinstance(properties, dict):
        return _ANY_OBJECT, "properties is no object"
    made = plain | {"type": "object"}
    said = {key for key, value in plain.items() if value or key not in ("required", "properties")}
    if not said - {"type", "description"}:
        made = {"type": "object", "properties": {}, "additionalProperties": False}
    problems: list[str] = []
    for _ in range(_LOOSENINGS):
        problem = problem_of(json.dumps(made))
        if not problem:
            shut: JsonObject = closed(made)
            return shut, "; ".join(problems)
        problems.append(problem)
        made = _loosened(made, problem)
    return _ANY_OBJECT, "; ".join(problems)


@lru_cache(maxsize=_REMEMBERED)  # clients send the same tools with every request
def problem_of(schema: str) -> str:
    """Say why a schema cannot be kept to; nothing if it can."""
    try:
        check(Structure("schema", schema))
    except EngineError as error:
        return str(error)
    return ""


def _loosened(schema: JsonObject, problem: str) -> JsonObject:
    """Take out of a schema what a message names; else leave the names of its properties alone."""
    named = frozenset(re.findall(r"[A-Za-z$]+", problem))
    looser = _without(schema, named - _KEPT_KEYS)
    if looser != schema:
        return looser  # type: ignore[no-any-return]
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return _ANY_OBJECT
    required = [key for key in schema.get("required") or () if key in properties]
    return {
        "type": "object",
        "properties": {key: {} for key in properties},
        "required": required,
        "additionalProperties": False,
    }


def _without(schema: Any, keys: frozenset[str]) -> Any:
    """Leave keywords out of a schema and of those within it, but no property of these names."""
    if isinstance(schema, list):
        return [_without(inner, keys) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: _without(inner, keys) for name, inner in value.items()}
        if key in _NAMED and isinstance(value, dict)
        else _without(value, keys)
        for key, value in schema.items()
        if key not in keys
    }


def object_of(g: Grammar, tool: Parameters) -> JsonObject:
    """Give the schema of a tool's arguments where each is written by itself.

    What it says of all of them together is not held.
    """
    whole, *others = alternatives(tool.schema)
    schema = tool.schema if others else whole
    unnamed = [key for key in schema.get("required", ()) if key not in properties_of(schema)]
    for keyword in (*_TOGETHER, *(["required"] if unnamed else [])):
        if keyword in schema:
            g.leave_out(tool.name, "", keyword)
    return schema


def json_arguments(g: Grammar, tool: Parameters) -> str:
    """Give the rule of the arguments as a JSON object."""
    return g.json(tool.schema)


def members_of(schema: JsonObject) -> Iterator[tuple[str, JsonObject, bool]]:
    """Give name, schema, and whether it must be given, of each property of an object."""
    required = schema.get("required", ())
    for key, inner in properties_of(schema).items():
        yield key, with_definitions(inner, schema), key in required


def properties_of(schema: JsonObject) -> JsonObject:
    """Give the properties that an object declares."""
    properties = schema.get("properties")
    return properties if isinstance(properties, dict) else {}
