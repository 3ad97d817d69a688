"""MiniMax: invocations of M2 with attributes; in M3 every tag has a mark, and keys are tags."""

import re
from typing import Any

from actorllm.actors.runner.parse.calls import MAX_DEPTH, BadCall, Toolbox, partly
from actorllm.actors.runner.parse.coerce import coerce
from actorllm.actors.runner.parse.fence import Fence
from actorllm.actors.runner.parse.fenced import Dialect, Opens
from actorllm.actors.runner.parse.schemas import property_of
from actorllm.actors.runner.parse.tagged import invokes
from actorllm.protocol.chat import JsonObject, ToolCall

__all__ = ["MINICPM", "MINIMAX_M2", "MINIMAX_M3"]

MINIMAX_M2 = Dialect(
    think_open="<think>",
    think_close="</think>",
    opens=Opens.FIRST,
    fences=(Fence("<minimax:tool_call>", "</minimax:tool_call>", invokes().decode),),
    calls_in_thinking=True,
)

_FUNCTION = invokes(function="function", parameter="param")


def _decode_function(body: str, tools: Toolbox) -> list[ToolCall]:
    """Read the rest of one function, whose opening and closing tags were the fence."""
    return _FUNCTION.decode(f'<function name="{body}</function>', tools)


MINICPM = Dialect(
    think_open="<think>",
    think_close="</think>",
    opens=Opens.FIRST,
    fences=(Fence('<function name="', "</function>", _decode_function, self_ending=False),),
    calls_in_thinking=True,
)

_MARK = "]<]minimax[>["
_TAG = re.compile(re.escape(_MARK) + r"<(/?)([^<>\n]+)>")
_INVOKE = re.compile(r'invoke name="([^"]+)"')


class _Tree:
    """Reads the marked tags of a call as a tree."""

    def __init__(self, body: str, tools: Toolbox) -> None:
        self._body = body
        self._tools = tools
        self._tags = list(_TAG.finditer(body))
        self._next = 0

    def calls(self) -> list[ToolCall]:
        calls: list[ToolCall] = []
        with partly(calls):
            self._read(calls)
        return calls

    def _read(self, calls: list[ToolCall]) -> None:
        while self._next < len(self._tags):
            name = _INVOKE.fullmatch(self._tags[self._next][2])
            if name is None:
                raise BadCall("a call does not begin with its function")
            calls.append(
                ToolCall(
                    name=name[1],
                    arguments=self._members("invoke", self._tools.parameters(name[1]), 0),
                )
            )
        if not calls:
            raise BadCall("the call is empty")

    def _members(self, tag: str, schema: JsonObject, depth: int) -> JsonObject:
        """Read the children of the tag that comes next, and its closing tag."""
        self._next += 1
        members: JsonObject = {}
        while not self._peek()[1]:
            key = self._peek()[2]
            members[key] = self._value(key, property_of(schema, key), depth + 1)
        if self._peek()[2] != tag:
            raise BadCall("a tag is not closed")
        self._next += 1
        return members

    def _value(self, key: str, schema: JsonObject | None, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise BadCall("the call is nested too deeply")
        start = self._peek().end()
        self._next += 1
        follower = self._peek()
        self._next -= 1
        if not follower[1]:
            return self._members(key, schema or {}, depth)
        if follower[2] != key:
            raise BadCall("a tag is not closed")
        self._next += 2
        return coerce(self._body[start : follower.start()], schema)

    def _peek(self) -> re.Match[str]:
        if self._next >= len(self._tags):
            raise BadCall("a tag is not closed")
        return self._tags[self._next]


def _decode_m3(body: str, tools: Toolbox) -> list[ToolCall]:
    return _Tree(body, tools).calls()


MINIMAX_M3 = Dialect(
    think_open="<mm:think>",
    think_close="</mm:think>",
    opens=Opens.FIRST,
    fences=(Fence(f"{_MARK}<tool_call>", f"{_MARK}</tool_call>", _decode_m3),),
    calls_in_thinking=True,
)
