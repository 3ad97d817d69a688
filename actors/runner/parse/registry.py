"""The parsers that a model can declare by name, as the reference's library names them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from attrs import evolve, field, frozen

from actorllm.actors.runner.parse.calls import Toolbox
from actorllm.actors.runner.parse.cohere import COHERE
from actorllm.actors.runner.parse.deepseek import DEEPSEEK
from actorllm.actors.runner.parse.fenced import Dialect, FencedParser, Opens, Spaces
from actorllm.actors.runner.parse.gemma import FUNCTION_GEMMA, GEMMA4
from actorllm.actors.runner.parse.glimmer import glimmer_parser
from actorllm.actors.runner.parse.glm import GLM, LAGUNA
from actorllm.actors.runner.parse.harmony import harmony_parser
from actorllm.actors.runner.parse.hermes import HERMES
from actorllm.actors.runner.parse.mistral import MISTRAL
from actorllm.actors.runner.parse.parsed import OutputParser
from actorllm.actors.runner.parse.pythonic import LFM2, OLMO3
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
    family: str = ""
    """The key of its calls' form in `forms`; empty: there are no calls."""


def _silent(dialect: Dialect) -> Dialect:
    """Give the dialect without thinking: its tags are content."""
    return evolve(dialect, opens=Opens.NEVER, think_open="", think_close="", think_labels=())


def _plain(dialect: Dialect) -> Make:
    """Make a parser that takes answers as the dialect says, whatever `think` is."""
    return lambda request: FencedParser(dialect, request.tools)


def _thinking(dialect: Dialect, thinks: Callable[[Request], bool]) -> Make:
    """Make a parser for models whose prompt opens the thinking when `thinks` says so."""
    silent = _silent(dialect)

    def make(request: Request) -> OutputParser:
        inside = thinks(request)
        return FencedParser(dialect if inside else silent, request.tools, in_thinking=inside)

    return make


def _always(request: Request) -> bool:
    return request.continues != "content"


def _unless_off(request: Request) -> bool:
    return request.think is not False


def _unless_off_or_prefilled(request: Request) -> bool:
    return _unless_off(request) and _always(request)


def _if_on(request: Request) -> bool:
    return bool(request.think)


def _if_on_and_not_prefilled(request: Request) -> bool:
    return _if_on(request) and _always(request)


def _cogito_thinks(request: Request) -> bool:
    return _if_on_and_not_prefilled(request) and not request.tools.names


def _on_and_nothing_prefilled(request: Request) -> bool:
    return _if_on(request) and not request.continues


def _asked(dialect: Dialect) -> Make:
    """Make a parser for models that open their thinking themselves, if they are asked to."""
    silent = _silent(dialect)
    loud = evolve(dialect, trim_start=True)
    return lambda request: FencedParser(
        loud if _if_on_and_not_prefilled(request) else silent, request.tools
    )


def _laguna(thinks: Callable[[Request], bool]) -> Make:
    def make(request: Request) -> OutputParser:
        dialect = evolve(LAGUNA, hide_thinking=not request.think)
        return FencedParser(dialect, request.tools, in_thinking=thinks(request))

    return make


def _harmony(request: Request) -> OutputParser:
    return harmony_parser(request.tools, continues=request.continues)


def _glimmer(request: Request) -> OutputParser:
    return glimmer_parser(request.tools, hide_thinking=request.think is False)


def _gemma4(request: Request) -> OutputParser:
    dialect = evolve(GEMMA4, hide_thinking=not request.think)
    last = request.last_message
    reopened = bool(request.think) and last is not None and last.role == "tool"
    return FencedParser(dialect, request.tools, in_thinking=reopened)


_RAW = Dialect(spaces=Spaces.KEEP)
_THINK_ONLY = Dialect("<think>", think_close="</think>", spaces=Spaces.AROUND)


def _gemma4_silent(request: Request) -> OutputParser:
    return FencedParser(evolve(GEMMA4, hide_thinking=True), request.tools)


_THINK = ("<think>", "</think>")
_CALL = ("<tool_call>", "</tool_call>")
_ARGUMENT = ("<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>")
_QWEN = (*_THINK, *_CALL)
_LAGUNA = (*_QWEN, "<user>", "</user>", *_ARGUMENT)
_GEMMA = ("<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", "<|tool_response>", '<|"|>')
_LFM2 = (*_THINK, "<|tool_call_start|>", "<|tool_call_end|>")
_DEEPSEEK = (
    "</think>",
    "<｜tool▁calls▁begin｜>",
    "<｜tool▁calls▁end｜>",
    "<｜tool▁call▁begin｜>",
    "<｜tool▁call▁end｜>",
    "<｜tool▁sep｜>",
    "<｜tool▁output▁begin｜>",
    "<｜tool▁output▁end｜>",
)
_COHERE = tuple(
    f"<|{edge}_{part}|>"
    for part in ("THINKING", "TEXT", "ACTION", "RESPONSE")
    for edge in ("START", "END")
)


def _thinker(family: str, make: Make, *preserved: str) -> ParserInfo:
    return ParserInfo(make, thinking=True, preserved=preserved, family=family)


PARSERS: Mapping[str, ParserInfo] = MappingProxyType(
    {
        "cogito": _thinker(
            "deepseek-r1",
            _thinking(DEEPSEEK, _cogito_thinks),
            *_DEEPSEEK,
            "<｜tool▁outputs▁begin｜>",
            "<｜tool▁outputs▁end｜>",
        ),
        "cohere": _thinker("cohere", _thinking(COHERE, _unless_off_or_prefilled), *_COHERE),
        "deepseek3": _thinker(
            "deepseek", _thinking(DEEPSEEK, _if_on_and_not_prefilled), *_DEEPSEEK
        ),
        "functiongemma": ParserInfo(
            _plain(FUNCTION_GEMMA),
            preserved=("<start_function_call>", "<end_function_call>"),
            family="functiongemma",
        ),
        "gemma4": _thinker("gemma4", _gemma4, *_GEMMA),
        "gemma4-no-thinking": ParserInfo(_gemma4_silent, preserved=_GEMMA, family="gemma4"),
        "glm-4.7": _thinker("glm", _thinking(GLM, _unless_off), *_QWEN, *_ARGUMENT),
        "glm-ocr": ParserInfo(_asked(GLM), preserved=(*_QWEN, *_ARGUMENT), family="glm"),
        "glimmer": _thinker("glimmer", _glimmer, "<|start|>", "<|message|>", "<|eom|>", "<|eot|>"),
        "harmony": _thinker(
            "harmony",
            _harmony,
            "<|start|>",
            "<|end|>",
            "<|message|>",
            "<|channel|>",
            "<|constrain|>",
        ),
        "laguna": _thinker("glm", _laguna(_on_and_nothing_prefilled), *_LAGUNA),
        "lfm2": ParserInfo(_plain(_silent(LFM2)), preserved=_LFM2, family="lfm2"),
        "lfm2-thinking": _thinker("lfm2", _asked(LFM2), *_LFM2),
        "ministral": ParserInfo(
            _plain(MISTRAL),
            preserved=("[TOOL_CALLS]", "[THINK]", "[/THINK]", "[ARGS]"),
            family="mistral",
        ),
        "nemotron-3-nano": _thinker(
            "qwen-coder", _thinking(QWEN_CODER, _unless_off_or_prefilled), *_QWEN
        ),
        "nemotron-3.5-nano": _thinker(
            "qwen-coder", _thinking(QWEN_CODER, _unless_off_or_prefilled), *_QWEN
        ),
        "olmo3": ParserInfo(
            _plain(OLMO3), preserved=("<function_calls>", "</function_calls>"), family="olmo3"
        ),
        "olmo3-think": ParserInfo(
            _thinking(_THINK_ONLY, _always),
            tools=False,
            thinking=True,
            preserved=("</think>",),
        ),
        "ornith": _thinker("qwen-coder", _thinking(QWEN_CODER, _unless_off_or_prefilled), *_QWEN),
        "passthrough": ParserInfo(_plain(_RAW), tools=False),
        "poolside-v1": _thinker("glm", _laguna(_if_on), *_LAGUNA),
        "qwen3": ParserInfo(_plain(_silent(HERMES)), preserved=_QWEN, family="hermes"),
        "qwen3-coder": ParserInfo(
            _plain(_silent(QWEN_CODER)), preserved=_CALL, family="qwen-coder"
        ),
        "qwen3-thinking": _thinker("hermes", _thinking(HERMES, _unless_off), *_QWEN),
        "qwen3-vl-instruct": ParserInfo(
            _plain(_silent(HERMES)), preserved=("</think>", *_CALL), family="hermes"
        ),
        "qwen3-vl-thinking": _thinker("hermes", _thinking(HERMES, _always), "</think>", *_CALL),
        "qwen3.5": _thinker("qwen-coder", _thinking(QWEN_CODER, _unless_off_or_prefilled), *_QWEN),
    }
)
"""By name: all that the reference knows."""
