"""Mistral: `[TOOL_CALLS]name[ARGS]{…}`, before that `[TOOL_CALLS] [{"name": …}]`."""

import re

from actorllm.actors.runner.parse.calls import BadCall, Toolbox, json_object
from actorllm.actors.runner.parse.fence import Fence
from actorllm.actors.runner.parse.fenced import Dialect, Opens
from actorllm.actors.runner.parse.hermes import decode_json_call
from actorllm.protocol.chat import ToolCall

__all__ = ["MISTRAL"]

_HEADS = ("[ARGS]", "[CALL_ID]")
_LISTED = re.compile(r"\s*+\[?\s*+\{")
_NAMED = re.compile(r"\s*+([^\s{}\[\]]++)\s*+(?:\[CALL_ID\][^\[]*+)?(?:\[ARGS\])?\s*+(?=\{)")


def decode_mistral(body: str, tools: Toolbox) -> list[ToolCall]:
    """Read what follows one `[TOOL_CALLS]`."""
    if _LISTED.match(body):
        return decode_json_call(body, tools)
    name = _NAMED.match(body)
    if name is None:
        raise BadCall("the call has no name")
    return [ToolCall(name=name[1], arguments=json_object(body[name.end() :]))]


MISTRAL = Dialect(
    think_open="[THINK]",
    think_close="[/THINK]",
    opens=Opens.ANYWHERE,
    fences=(Fence("[TOOL_CALLS]", "", decode_mistral, heads=_HEADS),),
)
