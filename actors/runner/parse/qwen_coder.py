"""Qwen3-Coder: `<function=name><parameter=key>value</parameter></function>` in `<tool_call>`."""

import re

from actorllm.actors.runner.parse.calls import BadCall, Toolbox
from actorllm.actors.runner.parse.coerce import coerce, declared_types
from actorllm.actors.runner.parse.fenced import Dialect, Fence, Opens
from actorllm.protocol.chat import JsonObject, ToolCall

__all__ = ["QWEN_CODER", "QWEN_CODER_CALLS", "decode_function", "decode_functions"]

_FUNCTION = re.compile(r"\s*<function=([^<>\s][^<>\n]*)>")
_PARAMETER = re.compile(r"\s*<parameter=([^<>\n]+)>")
_END = re.compile(r"\s*</function>\s*")
_CLOSE = "</parameter>"


def decode_functions(body: str, tools: Toolbox) -> list[ToolCall]:
    """Read the functions of one `<tool_call>`."""
    calls, at = [], 0
    while at < len(body):
        call, at = decode_function(body, at, tools)
        calls.append(call)
    if not calls:
        raise BadCall("the call is empty")
    return calls


def decode_function(body: str, at: int, tools: Toolbox) -> tuple[ToolCall, int]:
    """Read the function that begins at `at`; give it and where it ends."""
    head = _FUNCTION.match(body, at)
    if head is None:
        raise BadCall("a call begins with <function=…>")
    name = head[1].strip()
    arguments: JsonObject = {}
    at = head.end()
    while parameter := _PARAMETER.match(body, at):
        end = body.find(_CLOSE, parameter.end())
        if end < 0:
            raise BadCall("a parameter is not closed")
        key = parameter[1].strip()
        text = _value(body[parameter.end() : end])
        arguments[key] = coerce(text, declared_types(tools.schema(name, key)))
        at = end + len(_CLOSE)
    end_tag = _END.match(body, at)
    if end_tag is None:
        raise BadCall("a function is not closed")
    return ToolCall(name=name, arguments=arguments), end_tag.end()


def _value(text: str) -> str:
    """Take off the one line break on each side that belongs to the format."""
    return text.removeprefix("\n").removesuffix("\n")


QWEN_CODER_CALLS = Fence("<tool_call>", "</tool_call>", decode_functions)

QWEN_CODER = Dialect(
    think_open="<think>",
    think_close="</think>",
    opens=Opens.FIRST,
    fences=(QWEN_CODER_CALLS,),
    calls_in_thinking=True,
)
