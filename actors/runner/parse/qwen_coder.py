"""Qwen3-Coder: `<function=name><parameter=key>value</parameter></function>` in `<tool_call>`."""

from actorllm.actors.runner.parse.fence import Fence
from actorllm.actors.runner.parse.fenced import Dialect, Opens
from actorllm.actors.runner.parse.tagged import TaggedCalls

__all__ = ["QWEN_CODER", "SEED"]

_FUNCTIONS = TaggedCalls(
    head=r"\s*<function=([^<>\s][^<>\n]*)>",
    parameter=r"\s*<parameter=(?P<key>[^<>\n]+)>",
    close="</parameter>",
    end=r"\s*</function>",
    own_lines=True,
)

QWEN_CODER = Dialect(
    think_open="<think>",
    think_close="</think>",
    opens=Opens.FIRST,
    fences=(Fence("<tool_call>", "</tool_call>", _FUNCTIONS.decode),),
    calls_in_thinking=True,
)

SEED = Dialect(
    think_open="<seed:think>",
    think_close="</seed:think>",
    opens=Opens.FIRST,
    fences=(Fence("<seed:tool_call>", "</seed:tool_call>", _FUNCTIONS.decode),),
    calls_in_thinking=True,
)
