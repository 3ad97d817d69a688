"""The parsers that a model can declare by name, as the reference's library names them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from attrs import evolve, field, frozen

from actorllm.actors.runner.parse.calls import Toolbox
from actorllm.actors.runner.parse.fenced import Dialect, FencedParser, Opens, Spaces
from actorllm.actors.runner.parse.hermes import HERMES
from actorllm.actors.runner.parse.parsed import OutputParser
from actorllm.actors.runner.parse.qwen_coder import QWEN_CODER
from actorllm.protocol.chat import ChatMessage, Think

__all__ = ["PARSERS", "ParserInfo", "Request"]


@frozen
class Request:
    """What of a request decides how its answer begins."""

    tools: Toolbox = field(factory=Toolbox)
    think: Think = None
    last_message: ChatMessage | None = None

    @property
    def continues(self) -> str:
        """What the prompt left open: `content`, `thinking` or nothing."""
        last = self.last_message
        if last is None or last.role != "assistant":
            return ""
        return "content" if last.content else "thinking" if last.thinking else ""


Make = Callable[[Request], OutputParser]


@frozen
class ParserInfo:
    """A named parser and what a model that declares it can do."""

    make: Make
    tools: bool = True
    thinking: bool = False
    preserved: tuple[str, ...] = ()
    """Special tokens that must stay visible in the text that the parser gets."""


def _plain(dialect: Dialect) -> Make:
    """Make a parser that knows no thinking."""
    silent = evolve(dialect, opens=Opens.NEVER, think_open="", think_close="")
    return lambda request: FencedParser(silent, request.tools)


def _thinking(dialect: Dialect, *, obeys: bool = True, prefill: bool = True) -> Make:
    """Make a parser for models whose prompt opens the thinking.

    Args:
        dialect: How the family writes.
        obeys: Whether `think: false` means that there is none.
        prefill: Whether content in the prompt means that thinking is over.
    """
    silent = evolve(dialect, opens=Opens.NEVER, think_open="", think_close="")

    def make(request: Request) -> OutputParser:
        off = obeys and request.think is False
        over = prefill and request.continues == "content"
        if off or over:
            return FencedParser(silent, request.tools)
        return FencedParser(dialect, request.tools, in_thinking=True)

    return make


def _passthrough(_: Request) -> OutputParser:
    return FencedParser(_RAW)


_RAW = Dialect(spaces=Spaces.KEEP)
_THINK = ("<think>", "</think>")
_CALL = ("<tool_call>", "</tool_call>")

PARSERS: Mapping[str, ParserInfo] = MappingProxyType(
    {
        "qwen3": ParserInfo(_plain(HERMES), preserved=(*_THINK, *_CALL)),
        "qwen3-thinking": ParserInfo(
            _thinking(HERMES, prefill=False), thinking=True, preserved=(*_THINK, *_CALL)
        ),
        "qwen3-vl-instruct": ParserInfo(_plain(HERMES), preserved=("</think>", *_CALL)),
        "qwen3-vl-thinking": ParserInfo(
            _thinking(HERMES, obeys=False), thinking=True, preserved=("</think>", *_CALL)
        ),
        "qwen3-coder": ParserInfo(_plain(QWEN_CODER), preserved=_CALL),
        "qwen3.5": ParserInfo(_thinking(QWEN_CODER), thinking=True, preserved=(*_THINK, *_CALL)),
        "ornith": ParserInfo(_thinking(QWEN_CODER), thinking=True, preserved=(*_THINK, *_CALL)),
        "nemotron-3-nano": ParserInfo(
            _thinking(QWEN_CODER), thinking=True, preserved=(*_THINK, *_CALL)
        ),
        "nemotron-3.5-nano": ParserInfo(
            _thinking(QWEN_CODER), thinking=True, preserved=(*_THINK, *_CALL)
        ),
        "passthrough": ParserInfo(_passthrough, tools=False),
    }
)
