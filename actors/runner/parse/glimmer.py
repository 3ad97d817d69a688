"""Glimmer: messages to oneself, to the user or to a tool, with calls in `atem` tags."""

import re

from actorllm.actors.runner.parse.calls import Toolbox
from actorllm.actors.runner.parse.channels import ChannelParser, Channels, Thoughts
from actorllm.actors.runner.parse.fence import Fence
from actorllm.actors.runner.parse.fenced import Dialect, FencedParser, Spaces
from actorllm.actors.runner.parse.parsed import OutputParser
from actorllm.actors.runner.parse.tagged import invokes
from actorllm.protocol.chat import ToolCall

__all__ = ["glimmer_parser"]

_CHANNELS = Channels(ends=("<|eom|>", "<|eot|>"))
_SELF = re.compile(r"\bto=self\b")
_MARK = re.compile(r"<\|\w+\|>")
_INVOKES = invokes("atem:", declared_only=True)


def _decode(body: str, tools: Toolbox) -> list[ToolCall]:
    """Read invocations of declared tools; marks inside a name are a slip of the model."""
    return _INVOKES.decode(_MARK.sub("", body), tools)


_TO_OTHERS = Dialect(
    fences=(Fence("<atem:function_calls>", "</atem:function_calls>", _decode),),
    spaces=Spaces.KEEP,
)


def glimmer_parser(tools: Toolbox, *, hide_thinking: bool = False) -> OutputParser:
    """Give the parser for an answer; `hide_thinking` leaves out what nobody asked for."""

    def route(header: str) -> OutputParser:
        if _SELF.search(header):
            return Thoughts(hide=hide_thinking)
        return FencedParser(_TO_OTHERS, tools)

    return ChannelParser(_CHANNELS, route)
