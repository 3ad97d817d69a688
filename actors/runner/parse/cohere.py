"""Command A and its kin: text, thinking and actions each between marks of their own."""

from actorllm.actors.runner.parse.fence import Fence
from actorllm.actors.runner.parse.fenced import Dialect, Opens, Spaces
from actorllm.actors.runner.parse.hermes import decode_json_call

__all__ = ["COHERE"]

COHERE = Dialect(
    think_open="<|START_THINKING|>",
    think_close="<|END_THINKING|>",
    opens=Opens.FIRST,
    fences=(Fence("<|START_ACTION|>", "<|END_ACTION|>", decode_json_call, json=True),),
    spaces=Spaces.KEEP,
    trim_start=True,
    begins=("<|START_TEXT|>", "<|START_RESPONSE|>"),
    ends=("<|END_TEXT|>", "<|END_RESPONSE|>", "<|END_OF_TURN_TOKEN|>"),
)
