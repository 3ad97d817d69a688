"""Gemma 4 and FunctionGemma: `call:name{key:value}` with strings between marks of their own."""

import re

from actorllm.actors.runner.parse.calls import BadCall, Toolbox
from actorllm.actors.runner.parse.fence import Decode, Fence
from actorllm.actors.runner.parse.fenced import Dialect, Opens, Spaces
from actorllm.actors.runner.parse.literals import LiteralReader, Quoting
from actorllm.protocol.chat import ToolCall

__all__ = ["FUNCTION_GEMMA", "GEMMA4"]

_NAME = re.compile(r"call:\s*([^\s{}]+)\s*(?=\{)")


def _decode_with(mark: str) -> Decode:
    """Give the decoder for calls whose strings stand between two of `mark`."""

    def decode(body: str, _tools: Toolbox) -> list[ToolCall]:
        reader = LiteralReader(body, quoting=Quoting(mark))
        name = reader.match(_NAME)
        if name is None:
            raise BadCall("a call begins with call:name{")
        reader.expect("{")
        arguments = reader.members("}")
        if not reader.at_end():
            raise BadCall("there is more than a call")
        return [ToolCall(name=name[1], arguments=arguments)]

    return decode


GEMMA4 = Dialect(
    think_open="<|channel>",
    think_labels=("thought",),
    think_close="<channel|>",
    opens=Opens.ANYWHERE,
    fences=(Fence("<|tool_call>", "<tool_call|>", _decode_with('<|"|>')),),
    spaces=Spaces.KEEP,
    ends=("<tool_call|>", "<|tool_response>"),
)

FUNCTION_GEMMA = Dialect(
    fences=(Fence("<start_function_call>", "<end_function_call>", _decode_with("<escape>")),),
    spaces=Spaces.KEEP,
)
