"""Calls as Python writes them: `[f(a='x'), g()]` of LFM2, one call a line of Olmo 3."""

import re

from actorllm.actors.runner.parse.calls import BadCall, Toolbox, partly
from actorllm.actors.runner.parse.fence import Fence
from actorllm.actors.runner.parse.fenced import Dialect, Opens, Spaces
from actorllm.actors.runner.parse.hermes import decode_json_call
from actorllm.actors.runner.parse.literals import LiteralReader
from actorllm.protocol.chat import ToolCall

__all__ = ["LFM2", "OLMO3", "read_call"]

_NAME = re.compile(r"[^\W\d][\w.-]*(?=\s*\()")


def read_call(reader: LiteralReader) -> ToolCall:
    """Read `name(key=value, …)`."""
    name = reader.match(_NAME)
    if name is None:
        raise BadCall("a call begins with a name and a bracket")
    reader.expect("(")
    return ToolCall(name=name.group(), arguments=reader.members(")", colon="="))


def _decode_python_calls(body: str, tools: Toolbox) -> list[ToolCall]:
    """Read calls in a list, on lines of their own, or one alone; JSON calls are read, too."""
    if re.match(r"\s*\[?\s*\{", body):
        return decode_json_call(body, tools)
    reader = LiteralReader(body)
    listed = reader.accept("[")
    calls: list[ToolCall] = []
    with partly(calls):
        while not reader.at_end() and not (listed and reader.peek() == "]"):
            calls.append(read_call(reader))
            reader.accept(",")
        if listed:
            reader.expect("]")
        if not reader.at_end():
            raise BadCall("there is more than a call")
        if not calls:
            raise BadCall("the call is empty")
    return calls


LFM2 = Dialect(
    think_open="<think>",
    think_close="</think>",
    opens=Opens.FIRST,
    fences=(Fence("<|tool_call_start|>", "<|tool_call_end|>", _decode_python_calls),),
    spaces=Spaces.AROUND,
)

OLMO3 = Dialect(
    fences=(Fence("<function_calls>", "</function_calls>", _decode_python_calls),),
    spaces=Spaces.KEEP,
)
