"""Arguments of calls, held to the schema that their tool declares.

    json       a JSON object
    tagged     text between tags for each parameter; what is no string is JSON
    literal    `key:value` or `key=value` with strings in quotes of the format's own

Parameters come in the order of their declaration, as in `engine.grammar`'s JSON.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from attrs import frozen

from actorllm.actors.runner.engine.grammar import check
from actorllm.actors.runner.engine.schema import closed
from actorllm.actors.runner.engine.types import EngineError, Structure
from actorllm.actors.runner.forms.grammar import SPACES, Grammar
from actorllm.actors.runner.parse.coerce import declared_types
from actorllm.protocol.chat import JsonObject, Tool

__all__ = ["Literals", "Parameters", "Tagged", "callables", "json_arguments", "members_of"]

_ANY_OBJECT: JsonObject = {"type": "object"}
_LOOSENINGS = 6
"""Times that a schema is made looser until it can be kept to."""
_KEPT_KEYS = frozenset({"type", "properties", "items", "object", "required"})
_NAMED = ("properties", "patternProperties", "$defs", "definitions")
_KEY = r"/[A-Za-z_][A-Za-z0-9_]{0,63}/"
_NAME = "\0"
"""Stands for a name that is not known when a tag is made."""
_COMMA = f'"," {SPACES}'


@frozen
class Parameters:
    """A declared tool: its name and the schema of its arguments, which can be kept to."""

    name: str
    schema: JsonObject

    @property
    def open(self) -> bool:
        """Whether parameters are not declared, so that there may be any."""
        return not self.schema.get("properties") and (
            self.schema.get("additionalProperties") is not False
        )


def callables(
    tools: Sequence[Tool], names: Sequence[str] = ()
) -> tuple[list[Parameters], list[str]]:
    """Give the tools that may be called, and a notice for each whose schema cannot be kept to.

    Args:
        tools: As they were declared.
        names: Those that may be called; none: all.
    """
    found: list[Parameters] = []
    notices: list[str] = []
    for tool in tools:
        function = tool.get("function")
        if not isinstance(function, dict):
            continue
        name = function.get("name")
        if not isinstance(name, str) or not name or (names and name not in names):
            continue
        schema, problem = _kept(function.get("parameters"))
        if problem:
            notices.append(
                f"arguments of {name[:80]!r} are not held to all of their schema: {problem}"
            )
        found.append(Parameters(name, schema))
    return found, notices


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
    if not properties and not plain.keys() - {"type", "properties", "required", "description"}:
        made = {"type": "object", "properties": {}, "additionalProperties": False}
    first = ""
    for _ in range(_LOOSENINGS):
        try:
            check(Structure("schema", json.dumps(made)))
        except EngineError as error:
            first = first or str(error)
            made = _loosened(made, str(error))
        else:
            shut: JsonObject = closed(made)
            return shut, first
    return _ANY_OBJECT, first


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


def json_arguments(g: Grammar, tool: Parameters) -> str:
    """Give the rule of the arguments as a JSON object."""
    return g.json(tool.schema)


def _options(schema: JsonObject) -> list[Any] | None:
    """Give the values that a schema lists."""
    if "const" in schema:
        return [schema["const"]]
    listed = schema.get("enum")
    return listed if isinstance(listed, list) and listed else None


def members_of(schema: JsonObject) -> Iterator[tuple[str, JsonObject, bool]]:
    """Give name, schema, and whether it must be given, of each property of an object."""
    required = schema.get("required", ())
    for key, inner in schema.get("properties", {}).items():
        yield key, _with_definitions(inner, schema), key in required


def _with_definitions(schema: Any, whole: JsonObject) -> JsonObject:
    """Give a part of a schema for itself, with the definitions that it may refer to."""
    kept: JsonObject = {key: whole[key] for key in ("$defs", "definitions") if key in whole}
    return {**kept, **schema} if isinstance(schema, dict) else kept


@frozen
class Tagged:
    """Parameters between tags, as `<parameter=key>value</parameter>`."""

    head: Callable[[str, str], tuple[str, ...]]
    """The opening tags from a parameter's name and the type of its value."""
    close: str
    stop: str = ""
    """The beginning of `close` that no value may contain; empty: all of it."""
    lines: bool = False
    """Whether a line break on each side of a value belongs to the format."""
    gap: str = SPACES
    """What may stand between two parameters."""
    typed: bool = False
    """Whether the opening tag says the type, so that each type is an alternative."""

    def arguments(self, g: Grammar, tool: Parameters) -> str:
        """Give what stands in a rule for all arguments of a call."""
        if tool.open:
            return f"({self.gap} {self._undeclared(g)})*"
        parts = []
        for key, schema, required in members_of(tool.schema):
            one = f"{self.gap} {g.either(self._ways(g, key, schema))}"
            parts.append(one if required else f"({one})?")
        return " ".join(parts)

    def _ways(self, g: Grammar, key: str, schema: JsonObject) -> list[str]:
        """Give the ways to write a parameter."""
        types = declared_types(schema)
        options = _options(schema)
        if options is not None:
            return [self._option(g, key, value) for value in options]
        stringy = "string" in types or not (types or _refers(schema))
        ways = []
        if stringy:
            ways.append(f"{self._head(g, key, 'string')} {self._text(g)}")
        rest = tuple(each for each in types if each != "string")
        if rest or not stringy:
            ways += [self._json(g, key, kind, part) for kind, part in self._split(schema, rest)]
        return ways

    def _split(self, schema: JsonObject, types: tuple[str, ...]) -> list[tuple[str, JsonObject]]:
        if not self.typed and not types:
            return [("", schema)]
        if "string" not in declared_types(schema) and (not self.typed or len(types) == 1):
            return [(types[0] if types else "object", schema)]
        return [(kind, schema if schema.get("type") == kind else {"type": kind}) for kind in types]

    def _json(self, g: Grammar, key: str, kind: str, schema: JsonObject) -> str:
        head = self._head(g, key, kind)
        return f"{head} {SPACES} {g.json(schema)} {SPACES} {g.mark(self.close)}"

    def _option(self, g: Grammar, key: str, value: Any) -> str:
        edge = "\n" if self.lines else ""
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        head = self._head(g, key, _type_of(value), edge)
        return f"{head} {g.mark(text + edge + self.close)}"

    def _head(self, g: Grammar, key: str, kind: str, edge: str = "") -> str:
        *first, last = self.head(key, kind)
        return f" {SPACES} ".join(map(g.mark, [*first, last + edge]))

    def _undeclared(self, g: Grammar) -> str:
        """Give a parameter of any name: the tags around its name are all that is known of it."""
        parts = [self._around_name(g, part) for part in self.head(_NAME, "string")]
        return g.rule(f"{f' {SPACES} '.join(parts)} {self._text(g)}")

    def _text(self, g: Grammar) -> str:
        """Give a value that is plain text, and the closing tag."""
        if not self.stop:
            return g.to_mark(self.close)
        return f"{g.to_mark(self.stop)} {g.mark(self.close.removeprefix(self.stop))}"

    def _around_name(self, g: Grammar, tag: str) -> str:
        before, name, after = tag.partition(_NAME)
        return f"{g.mark(before)} {g.rule(_KEY)} {g.mark(after)}" if name else g.mark(tag)


def _refers(schema: JsonObject) -> bool:
    """Whether a schema without a type says something all the same."""
    return any(key in schema for key in ("$ref", "anyOf", "oneOf", "allOf", "properties", "items"))


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array"}
    return kinds.get(type(value), "object")


@frozen
class Literals:
    """Values with quotes of a format's own."""

    quote: str = ""
    """What stands on both sides of a string; empty: Python's quotes."""
    words: tuple[tuple[str, ...], ...] = (("true",), ("false",), ("null",))
    """How true, false and null are written."""
    colon: str = ":"
    """Between a parameter and its value."""
    quoted_keys: bool = False
    """Whether the keys of objects within a value are strings."""

    def arguments(self, g: Grammar, tool: Parameters) -> str:
        """Give what stands in a rule for all arguments of a call."""
        return self._members(g, tool.schema, self.colon, nested=False)

    def _members(self, g: Grammar, schema: JsonObject, colon: str, *, nested: bool) -> str:
        properties = schema.get("properties")
        if not isinstance(properties, dict) or not properties:
            closed_ = schema.get("additionalProperties") is False
            return "" if closed_ else self._any_members(g, colon, nested=nested)
        parts = []
        for key, inner, required in members_of(schema):
            name = self._key(g, key, nested=nested)
            parts.append((f"{name} {g.text(colon)} {SPACES} {self._value(g, inner)}", required))
        return _listed(g, parts)

    def _key(self, g: Grammar, key: str, *, nested: bool) -> str:
        if nested and self.quoted_keys:
            return f"({g.text(json.dumps(key))} | {g.text(repr(key))})"
        return g.text(key)

    def _any_members(self, g: Grammar, colon: str, *, nested: bool) -> str:
        name = self._string(g) if nested and self.quoted_keys else _KEY
        one = g.rule(f"{name} {g.text(colon)} {SPACES} {self._any(g)}")
        return f"({one} ({_COMMA} {one})*)?"

    def _value(self, g: Grammar, schema: JsonObject) -> str:
        options = _options(schema)
        if options is not None:
            return g.either([self._option(g, value) for value in options])
        types = declared_types(schema)
        known = types and not any(key in schema for key in ("$ref", "allOf", "anyOf", "oneOf"))
        if not known:
            return self._any(g)
        return g.either([self._typed(g, kind, schema) for kind in types])

    def _typed(self, g: Grammar, kind: str, schema: JsonObject) -> str:
        if kind == "string":
            return self._string(g)
        if kind == "boolean":
            return g.either([self._word(g, True), self._word(g, False)])
        if kind == "null":
            return self._word(g, None)
        if kind == "array":
            items = schema.get("items")
            return self._array(g, self._value(g, _with_definitions(items, schema)))
        if kind == "object":
            inner = self._members(g, schema, ":", nested=True)
            return f'"{{" {SPACES} {inner} {SPACES} "}}"'
        return g.json({**schema, "type": kind})

    def _array(self, g: Grammar, item: str) -> str:
        return f'"[" {SPACES} ({item} ({_COMMA} {item})*)? {SPACES} "]"'

    def _string(self, g: Grammar) -> str:
        if self.quote:
            return g.rule(f"{g.mark(self.quote)} {g.to_mark(self.quote)}")
        return g.rule(r"""/"([^"\\\n]|\\["\\nrt])*"/ | /'([^'\\\n]|\\['\\nrt])*'/""")

    def _option(self, g: Grammar, value: Any) -> str:
        if isinstance(value, str):
            if self.quote:
                return g.mark(f"{self.quote}{value}{self.quote}")
            return f"({g.text(json.dumps(value, ensure_ascii=False))} | {g.text(repr(value))})"
        if value is None or isinstance(value, bool):
            return self._word(g, value)
        if isinstance(value, int | float):
            return g.text(json.dumps(value))
        return self._any(g)

    def _word(self, g: Grammar, value: bool | None) -> str:
        return g.either([g.text(word) for word in self.words[(True, False, None).index(value)]])

    def _any(self, g: Grammar) -> str:
        """Give the rule of any value; objects and lists in it may nest."""
        return g.recursive(self, lambda name: self._any_of(g, name))

    def _any_of(self, g: Grammar, name: str) -> str:
        key = self._string(g) if self.quoted_keys else _KEY
        member = f'{key} ":" {SPACES} {name}'
        bodies = [
            self._string(g),
            g.json({"type": "number"}),
            *(self._word(g, value) for value in (True, False, None)),
            self._array(g, name),
            f'"{{" {SPACES} ({member} ({_COMMA} {member})*)? {SPACES} "}}"',
        ]
        return "\n | ".join(bodies)


def _listed(g: Grammar, parts: list[tuple[str, bool]]) -> str:
    """Give members between commas, of which those that are not required may be missing.

    Every member has two rules, those behind it with and without a comma before them.
    """
    after, first = "", ""  # what may follow a member, and what may come as the first one
    for body, required in reversed(parts):
        one = g.rule(body)
        begun = f"{one} {after}".strip()
        first = g.rule(begun) if required else _or(g, begun, first)
        with_comma = f"{_COMMA} {begun}"
        after = g.rule(with_comma) if required else _or(g, with_comma, after)
    return first


def _or(g: Grammar, one: str, other: str) -> str:
    return g.rule(f"{one} | {other}") if other else f"({g.rule(one)})?"
