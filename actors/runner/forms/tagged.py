"""Arguments as text between tags: strings as they are, anything else as JSON."""

import json
from collections.abc import Callable
from typing import Any

from attrs import frozen

from actorllm.actors.runner.forms.declared import (
    Parameters,
    members_of,
    object_of,
    problem_of,
    properties_of,
)
from actorllm.actors.runner.forms.grammar import KEY, SPACES, Grammar
from actorllm.actors.runner.forms.patterns import texts_of
from actorllm.actors.runner.parse.schemas import alternatives, options_of, type_of
from actorllm.protocol.chat import JsonObject

__all__ = ["Tagged"]

_NAME = "\0"
"""Stands for a name that is not known when a tag is made."""
_REFERS = frozenset({"$ref", "anyOf", "oneOf", "allOf", "properties", "items"})
"""Keywords that say something of a value though its type is not said."""
_NOT_NULL = "~/[ \\t\\r\\n]*[nN][uU][lL][lL][ \\t\\r\\n]*/"
"""Text that parsers do not read as null, whatever its type."""
_NO_EDGES = r"(?:[^\s](?:(?s:.*)[^\s])?)?"


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
    trimmed: bool = False
    """Whether white space at the edges of a value is lost."""
    gap: str = SPACES
    """What may stand between two parameters."""
    typed: bool = False
    """Whether the opening tag says the type."""

    def arguments(self, g: Grammar, tool: Parameters) -> str:
        """Give what stands in a rule for all arguments of a call."""
        schema = object_of(g, tool)
        if not properties_of(schema) and schema.get("additionalProperties") is not False:
            return f"({self.gap} {self._undeclared(g)})*"
        parts = []
        for key, inner, required in members_of(schema):
            one = self.parameter(g, tool.name, key, inner)
            parts.append(one if required else f"({one})?")
        return " ".join(parts)

    def parameter(self, g: Grammar, tool: str, key: str, schema: JsonObject) -> str:
        """Give what stands in a rule for one parameter."""
        ways: list[str] = []
        for each in alternatives(schema):
            ways += self._ways(g, tool, key, each)
        return f"{self.gap} {g.either(list(dict.fromkeys(ways)))}"

    def _ways(self, g: Grammar, tool: str, key: str, schema: JsonObject) -> list[str]:
        """Give the ways to write a parameter of one type."""
        options = options_of(schema)
        if options is not None:
            return [self._option(g, key, value) for value in options]
        kind = schema.get("type")
        if kind == "string" or not (kind or _REFERS & schema.keys()):
            return [self._string(g, tool, key, schema)]
        said = kind if isinstance(kind, str) else "object"
        value = g.json(_for_itself(g, tool, key, schema))
        return [f"{self._head(g, key, said)} {SPACES} {value} {SPACES} {g.mark(self.close)}"]

    def _string(self, g: Grammar, tool: str, key: str, schema: JsonObject) -> str:
        texts, left_out = texts_of(schema, _NO_EDGES if self.trimmed else "")
        for keyword in left_out:
            g.leave_out(tool, key, keyword)
        if not texts:
            return f"{self._head(g, key, 'string')} {self._text(g)}"
        value = g.held([*(f"/{text}/" for text in texts), _NOT_NULL], self.stop or self.close)
        return f"{self._head(g, key, 'string')} {g.before(value, self._edge + self.close)}"

    def _option(self, g: Grammar, key: str, value: Any) -> str:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        head = self._head(g, key, type_of(value))
        return f"{head} {g.mark(text + self._edge + self.close)}"

    def _head(self, g: Grammar, key: str, kind: str) -> str:
        *first, last = self.head(key, kind)
        return f" {SPACES} ".join(map(g.mark, [*first, last + self._edge]))

    @property
    def _edge(self) -> str:
        return "\n" if self.lines else ""

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
        return f"{g.mark(before)} {g.rule(KEY)} {g.mark(after)}" if name else g.mark(tag)


def _for_itself(g: Grammar, tool: str, key: str, schema: JsonObject) -> JsonObject:
    """Give the schema of a JSON value, without what is not to be found outside of its whole."""
    if not problem_of(json.dumps(schema)):
        return schema
    g.leave_out(tool, key, "references")
    return {"type": schema["type"]} if isinstance(schema.get("type"), str) else {}
