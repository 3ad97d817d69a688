"""Functionary: `<function=name>{…}</function>` in 3.1, a row of `>>>name` messages in 3.2."""

from actorllm.actors.runner.parse.calls import BadCall, Toolbox, json_object
from actorllm.actors.runner.parse.channels import CallBody, ChannelParser, Channels
from actorllm.actors.runner.parse.fence import Fence
from actorllm.actors.runner.parse.fenced import Dialect, FencedParser, Opens, Spaces
from actorllm.actors.runner.parse.parsed import OutputParser, Parsed
from actorllm.protocol.chat import ToolCall

__all__ = ["FUNCTIONARY", "functionary_parser"]


def _decode(body: str, _tools: Toolbox) -> list[ToolCall]:
    """Read `name>{…}`."""
    name, mark, arguments = body.partition(">")
    if not mark or not name.strip():
        raise BadCall("the call has no name")
    return [ToolCall(name=name.strip(), arguments=json_object(arguments))]


FUNCTIONARY = Dialect(
    think_open="<think>",
    think_close="</think>",
    opens=Opens.FIRST,
    fences=(Fence("<function=", "</function>", _decode, json=True),),
    calls_in_thinking=True,
)

_CHANNELS = Channels(ends=(), start=">>>", message="\n", header_marks=())
_PLAIN = Dialect(spaces=Spaces.TRIM)


class _Words(FencedParser):
    """Content that looked like the header of a message."""

    def __init__(self, header: str) -> None:
        super().__init__(_PLAIN)
        self._before = header

    def feed(self, text: str) -> Parsed:
        before, self._before = self._before, ""
        return super().feed(before + text)

    def finish(self) -> Parsed:
        step = self.feed("")
        return Parsed(content=step.content + super().finish().content)


def functionary_parser(tools: Toolbox) -> OutputParser:
    """Give the parser for a row of messages, the first header of which the prompt opened."""

    def route(header: str) -> OutputParser:
        name = header.removeprefix(_CHANNELS.start).strip()
        if name == "all":
            return FencedParser(_PLAIN)
        raw = f"{header}{_CHANNELS.message}"
        return CallBody(name, raw) if name in tools else _Words(raw)

    return ChannelParser(_CHANNELS, route)
