"""Calls written in tags: a function around parameters whose values are plain text.

One reader for all families that differ only in the tags: `<function=f><parameter=k>v</parameter>`
of Qwen, `<invoke name="f"><parameter name="k">v</parameter>` of MiniMax and others.
"""

import re
from typing import Any

from attrs import field, frozen

from actorllm.actors.runner.parse.calls import BadCall, Toolbox, load_json, partly
from actorllm.actors.runner.parse.coerce import coerce
from actorllm.protocol.chat import JsonObject, ToolCall

__all__ = ["TaggedCalls", "invokes"]


_REST = re.compile(r"\s*\Z")


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


@frozen
class TaggedCalls:
    """The tags of one family. The patterns may skip white space before them."""

    head: re.Pattern[str] = field(converter=_pattern)
    """Opens a function; its first group is the name."""
    parameter: re.Pattern[str] = field(converter=_pattern)
    """Opens a parameter; the group `key` is its name, `string` whether it says to be a string."""
    close: str
    """Closes a parameter."""
    end: re.Pattern[str] = field(converter=_pattern)
    """Closes a function."""
    own_lines: bool = False
    """Whether a line break on each side of a value belongs to the format."""
    declared_only: bool = False
    """Whether only declared tools can be called."""

    def decode(self, body: str, tools: Toolbox) -> list[ToolCall]:
        """Read all functions of a body."""
        calls: list[ToolCall] = []
        at = 0
        with partly(calls):
            while not _REST.match(body, at):
                call, at = self.decode_one(body, at, tools)
                calls.append(call)
            if not calls:
                raise BadCall("the call is empty")
        return calls

    def decode_one(self, body: str, at: int, tools: Toolbox) -> tuple[ToolCall, int]:
        """Read the function that begins at `at`; give it and where it ends."""
        head = self.head.match(body, at)
        if head is None:
            raise BadCall("a call does not begin with its function")
        name = head[1].strip()
        if self.declared_only and name not in tools:
            raise BadCall("no declared tool is called")
        arguments: JsonObject = {}
        at = head.end()
        while parameter := self.parameter.match(body, at):
            end = body.find(self.close, parameter.end())
            if end < 0:
                raise BadCall("a parameter is not closed")
            key = parameter["key"].strip()
            arguments[key] = self._value(parameter, body[parameter.end() : end], name, tools)
            at = end + len(self.close)
        tail = self.end.match(body, at)
        if tail is None:
            raise BadCall("a function is not closed")
        return ToolCall(name=name, arguments=arguments), tail.end()

    def _value(self, parameter: re.Match[str], text: str, tool: str, tools: Toolbox) -> Any:
        if self.own_lines:
            text = text.removeprefix("\n").removesuffix("\n")
        says = parameter.groupdict().get("string")
        if says == "true":
            return text
        if says == "false":
            return load_json(text)
        return coerce(text, tools.schema(tool, parameter["key"].strip()))


def invokes(
    prefix: str = "",
    *,
    function: str = "invoke",
    parameter: str = "parameter",
    declared_only: bool = False,
) -> TaggedCalls:
    """Give the format whose names are attributes, each tag's name behind `prefix`."""
    tag, item = re.escape(prefix + function), re.escape(prefix + parameter)
    return TaggedCalls(
        head=rf'\s*<{tag} name="([^"\n]+)"[^>\n]*>',
        parameter=rf'\s*<{item} name="(?P<key>[^"\n]+)"(?: string="(?P<string>true|false)")?>',
        close=f"</{prefix}{parameter}>",
        end=rf"\s*</{tag}>",
        declared_only=declared_only,
    )
