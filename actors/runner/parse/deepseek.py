"""DeepSeek V3 and R1, Cogito: each call between marks, its name before a separator."""

from actorllm.actors.runner.parse.calls import BadCall, Toolbox, json_object
from actorllm.actors.runner.parse.fence import Fence
from actorllm.actors.runner.parse.fenced import Dialect, Opens, Spaces
from actorllm.actors.runner.parse.tagged import invokes
from actorllm.protocol.chat import ToolCall

__all__ = ["DEEPSEEK", "DEEPSEEK_DSML"]

_SEPARATOR = "<｜tool▁sep｜>"
_FENCE = "```"


def decode_deepseek(body: str, _tools: Toolbox) -> list[ToolCall]:
    """Read `name<sep>{…}`, or `function<sep>name` and the arguments in a code block."""
    head, separator, rest = body.partition(_SEPARATOR)
    if not separator:
        raise BadCall("the call has no separator")
    name, fence, arguments = rest.partition(_FENCE)
    if fence:
        arguments = arguments.rpartition(_FENCE)[0].removeprefix("json")
    else:
        name, arguments = head, rest
    if not name.strip():
        raise BadCall("the call has no name")
    return [ToolCall(name=name.strip(), arguments=json_object(arguments))]


DEEPSEEK = Dialect(
    think_open="<think>",
    think_close="</think>",
    opens=Opens.FIRST,
    fences=(Fence("<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", decode_deepseek, json=True),),
    spaces=Spaces.AROUND,
    ends=("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"),
)

_DSML = "｜DSML｜"

DEEPSEEK_DSML = Dialect(
    think_open="<think>",
    think_close="</think>",
    opens=Opens.FIRST,
    fences=tuple(
        Fence(f"<{_DSML}{block}>", f"</{_DSML}{block}>", invokes(_DSML).decode)
        for block in ("function_calls", "tool_calls")
    ),
    calls_in_thinking=True,
)
"""Since V3.2: invocations with typed parameters."""
