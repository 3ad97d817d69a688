"""Hermes and Qwen: `<tool_call>{"name": …, "arguments": {…}}</tool_call>`."""

from actorllm.actors.runner.parse.calls import Toolbox, call_of_object, load_json
from actorllm.actors.runner.parse.fenced import Dialect, Fence, Opens
from actorllm.protocol.chat import ToolCall

__all__ = ["HERMES", "HERMES_CALLS", "decode_json_call"]


def decode_json_call(body: str, _tools: Toolbox) -> list[ToolCall]:
    """Read one call, or a list of them."""
    value = load_json(body)
    values = value if isinstance(value, list) and value else [value]
    return [call_of_object(each) for each in values]


HERMES_CALLS = Fence("<tool_call>", "</tool_call>", decode_json_call, json=True)

HERMES = Dialect(
    think_open="<think>",
    think_close="</think>",
    opens=Opens.FIRST,
    fences=(HERMES_CALLS,),
    calls_in_thinking=True,
)
