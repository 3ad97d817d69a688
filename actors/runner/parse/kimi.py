"""Kimi K2 and K3: calls between marks, their names with a namespace and a counter in K2."""

import re
from typing import Any

from actorllm.actors.runner.parse.calls import BadCall, Toolbox, json_object, load_json
from actorllm.actors.runner.parse.fence import Fence
from actorllm.actors.runner.parse.fenced import Dialect, Opens
from actorllm.protocol.chat import JsonObject, ToolCall

__all__ = ["KIMI_K2", "KIMI_K3"]

_ARGUMENTS = "<|tool_call_argument_begin|>"
_COUNTER = re.compile(r":\d+\s*\Z")


def _decode_k2(body: str, _tools: Toolbox) -> list[ToolCall]:
    """Read `functions.name:0<|tool_call_argument_begin|>{…}`."""
    head, mark, arguments = body.partition(_ARGUMENTS)
    name = _COUNTER.sub("", head.strip()).removeprefix("functions.")
    if not mark or not name:
        raise BadCall("the call has no name or no arguments")
    return [ToolCall(name=name, arguments=json_object(arguments))]


KIMI_K2 = Dialect(
    think_open="<think>",
    think_close="</think>",
    opens=Opens.FIRST,
    fences=(Fence("<|tool_call_begin|>", "<|tool_call_end|>", _decode_k2, json=True),),
    ends=("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
    calls_in_thinking=True,
)

_TOOL = re.compile(r'\s*tool="([^"\n]+)"[^<]*<\|sep\|>')
_ARGUMENT = re.compile(r'<\|open\|>argument key="([^"\n]+)"(?: type="(\w+)")?[^<\n]*<\|sep\|>')
_ARGUMENT_END = "<|close|>argument<|sep|>"
_REST = re.compile(r"\s*\Z")


def _decode_k3(body: str, _tools: Toolbox) -> list[ToolCall]:
    """Read `tool="name" …<|sep|>` and the arguments, which say their types."""
    tool = _TOOL.match(body)
    if tool is None:
        raise BadCall("the call has no name")
    arguments: JsonObject = {}
    at = tool.end()
    while argument := _ARGUMENT.match(body, at):
        end = body.find(_ARGUMENT_END, argument.end())
        if end < 0:
            raise BadCall("an argument is not closed")
        arguments[argument[1]] = _typed(body[argument.end() : end], argument[2])
        at = end + len(_ARGUMENT_END)
    if not _REST.match(body, at):
        raise BadCall("there is more than a call")
    return [ToolCall(name=tool[1], arguments=arguments)]


def _typed(text: str, kind: str | None) -> Any:
    return text if kind in (None, "string") else load_json(text)


_CALL_END = "<|close|>call<|sep|>"

KIMI_K3 = Dialect(
    think_open="<|open|>think<|sep|>",
    think_close="<|close|>think<|sep|>",
    opens=Opens.FIRST,
    fences=(Fence("<|open|>call ", _CALL_END, _decode_k3, self_ending=False),),
    begins=("<|open|>response<|sep|>",),
    ends=(
        "<|close|>response<|sep|>",
        "<|open|>tools<|sep|>",
        "<|close|>tools<|sep|>",
        "<|close|>message<|sep|>",
        "<|end_of_msg|>",
    ),
)
