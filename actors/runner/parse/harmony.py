"""Harmony, the format of gpt-oss: channels for analysis, commentary and the final answer."""

import re
from collections.abc import Mapping

from actorllm.actors.runner.parse.calls import Toolbox
from actorllm.actors.runner.parse.channels import CallBody, ChannelParser, Channels, Thoughts
from actorllm.actors.runner.parse.fenced import Dialect, FencedParser, Spaces
from actorllm.actors.runner.parse.parsed import OutputParser

__all__ = ["harmony_names", "harmony_parser"]

_CHANNELS = Channels(
    ends=("<|end|>", "<|return|>", "<|call|>"), header_marks=("to=", "<|channel|>")
)
_PLAIN = Dialect(spaces=Spaces.KEEP)
_RECIPIENT = re.compile(r"\bto=([^\s<]+)")
_ANALYSIS = re.compile(r"<\|channel\|>\s*analysis\b")


def harmony_names(tools: Toolbox) -> Mapping[str, str]:
    """Give each tool's name as the prompt has it (an identifier), and the name it stands for."""
    return {_identifier(name): name for name in tools.names}


def _identifier(name: str) -> str:
    word = re.sub(r"[^A-Za-z0-9_$]", "_", name)
    return f"_{word}" if word[:1].isdigit() else word


def harmony_parser(tools: Toolbox, *, continues: str = "") -> OutputParser:
    """Give the parser for an answer.

    Args:
        tools: The request's tools.
        continues: What the prompt left open: `content`, `thinking`, or nothing but a header.
    """
    names = harmony_names(tools)

    def route(header: str) -> OutputParser:
        recipient = _RECIPIENT.search(header)
        if recipient:
            name = recipient[1].removeprefix("functions.")
            return CallBody(names.get(name, name), f"{header}{_CHANNELS.message}")
        return Thoughts() if _ANALYSIS.search(header) else FencedParser(_PLAIN)

    opened: OutputParser | None = None
    if continues:
        opened = FencedParser(_PLAIN) if continues == "content" else Thoughts()
    return ChannelParser(_CHANNELS, route, opened=opened)
