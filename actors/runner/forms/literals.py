"""Arguments as `key:value` or `key=value`, with strings in quotes of the format's own."""

import json
from collections.abc import Iterable
from typing import Any

from attrs import evolve, frozen

from actorllm.actors.runner.forms.declared import (
    Parameters,
    members_of,
    object_of,
    properties_of,
)
from actorllm.actors.runner.forms.grammar import KEY, SPACES, Grammar
from actorllm.actors.runner.forms.patterns import LIMITS_OF_TEXT, texts_of
from actorllm.actors.runner.parse.schemas import alternatives, options_of, with_definitions
from actorllm.protocol.chat import JsonObject

__all__ = ["Literals"]

_COMMA = f'"," {SPACES}'
_PLAIN = r"[^\"\\\n]*"
"""Text that needs no escapes between double quotes."""
_LIMITS_OF = {
    "array": ("prefixItems", "contains", "uniqueItems"),
    "object": ("minProperties", "maxProperties", "patternProperties", "anyOf", "oneOf", "allOf"),
}
"""Keywords that are not held, by the type of the value."""
_LIMITS = (
    *LIMITS_OF_TEXT,
    *("$ref", "anyOf", "oneOf", "allOf", "properties", "required", "items", "minItems", "maxItems"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *(key for keys in _LIMITS_OF.values() for key in keys),
)
"""Keywords that are not held where any value may stand."""


@frozen
class _Place:
    """Where a value stands: in which parameter of which tool, and how deep."""

    tool: str
    key: str = ""
    depth: int = -1

    @property
    def nested(self) -> bool:
        return self.depth >= 0

    def within(self, key: str) -> "_Place":
        """Give the place of a member; the name of the parameter stays that of the outermost."""
        return evolve(self, key=self.key or key, depth=self.depth + 1)

    def leave_out(self, g: Grammar, schema: JsonObject, keywords: Iterable[str]) -> None:
        """Say which of these keywords a schema has, since they are not held."""
        for keyword in dict.fromkeys(keywords):
            if keyword in schema:
                g.leave_out(self.tool, self.key, keyword)


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
        schema = object_of(g, tool)
        return self._members(g, schema, self.colon, _Place(tool.name))

    def _members(self, g: Grammar, schema: JsonObject, colon: str, at: _Place) -> str:
        if not properties_of(schema):
            shut = schema.get("additionalProperties") is False
            return "" if shut else self._any_members(g, colon, nested=at.nested)
        parts = []
        for key, inner, required in members_of(schema):
            name = self._key(g, key, nested=at.nested)
            value = self._value(g, inner, at.within(key))
            parts.append((f"{name} {g.text(colon)} {SPACES} {value}", required))
        return _listed(g, parts)

    def _key(self, g: Grammar, key: str, *, nested: bool) -> str:
        if nested and self.quoted_keys:
            return f"({g.text(json.dumps(key))} | {g.text(repr(key))})"
        return g.text(key)

    def _any_members(self, g: Grammar, colon: str, *, nested: bool) -> str:
        name = self._string(g) if nested and self.quoted_keys else KEY
        one = g.rule(f"{name} {g.text(colon)} {SPACES} {self._any(g)}")
        return f"({one} ({_COMMA} {one})*)?"

    def _value(self, g: Grammar, schema: JsonObject, at: _Place) -> str:
        ways: list[str] = []
        for each in alternatives(schema):
            options = options_of(each)
            if options is not None:
                ways += [self._option(g, value) for value in options]
            else:
                ways.append(self._typed(g, each, at))
        return g.either(list(dict.fromkeys(ways)))

    def _typed(self, g: Grammar, schema: JsonObject, at: _Place) -> str:
        """Give a value of one type, or any where none is declared."""
        kind = schema.get("type")
        if not isinstance(kind, str):
            at.leave_out(g, schema, _LIMITS)
            return self._any(g)
        if not g.may_nest(at.depth):
            g.leave_out(at.tool, at.key, "deeper values")
            return self._any(g)
        if kind == "string":
            return self._limited_string(g, schema, at)
        if kind == "boolean":
            return g.either([self._word(g, True), self._word(g, False)])
        if kind == "null":
            return self._word(g, None)
        at.leave_out(g, schema, _LIMITS_OF.get(kind, ()))
        if kind == "array":
            return self._array(g, self._items(g, schema, at), *_counts(schema))
        if kind == "object":
            inner = self._members(g, schema, ":", at.within(""))
            return f'"{{" {SPACES} {inner} {SPACES} "}}"'
        return g.json(schema)

    def _items(self, g: Grammar, schema: JsonObject, at: _Place) -> str:
        return self._value(g, with_definitions(schema.get("items"), schema), at.within(""))

    def _array(self, g: Grammar, item: str, least: int = 0, most: int | None = None) -> str:
        if most == 0:
            return f'"[" {SPACES} "]"'
        upper = "" if most is None else most - 1
        row = f"{item} ({_COMMA} {item}){{{max(least - 1, 0)},{upper}}}"
        return f'"[" {SPACES} {row if least else f"({row})?"} {SPACES} "]"'

    def _limited_string(self, g: Grammar, schema: JsonObject, at: _Place) -> str:
        texts, left_out = texts_of(schema, "" if self.quote else _PLAIN)
        for keyword in left_out:
            g.leave_out(at.tool, at.key, keyword)
        limits = [f"/{text}/" for text in texts]
        if not limits:
            return self._string(g)
        if self.quote:
            return f"{g.mark(self.quote)} {g.before(g.held(limits, self.quote), self.quote)}"
        text = g.held([*limits, f"/{_PLAIN}/"])
        return g.rule(f'"\\"" {text} "\\""')

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
        key = self._string(g) if self.quoted_keys else KEY
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


def _counts(schema: JsonObject) -> tuple[int, int | None]:
    """Give how many items a list has at least and at most."""
    least, most = schema.get("minItems"), schema.get("maxItems")
    return (
        least if isinstance(least, int) else 0,
        most if isinstance(most, int) else None,
    )
