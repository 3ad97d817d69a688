"""Which family a Jinja template belongs to, told from its text."""

from actorllm.actors.runner.parse.calls import Toolbox
from actorllm.actors.runner.parse.fenced import Dialect, FencedParser
from actorllm.actors.runner.parse.generic import thinking_dialect
from actorllm.actors.runner.parse.hermes import HERMES
from actorllm.actors.runner.parse.parsed import OutputParser
from actorllm.actors.runner.parse.qwen_coder import QWEN_CODER

__all__ = ["infer_parser"]


def infer_parser(text: str, tools: Toolbox, *, in_thinking: bool = False) -> OutputParser:
    """Give the parser for answers to prompts of this template."""
    return FencedParser(_dialect(text), tools, in_thinking=in_thinking)


def _dialect(text: str) -> Dialect:
    if "<function=" in text and "<tool_call>" in text:
        return QWEN_CODER
    if "<tool_call>" in text:
        return HERMES
    return thinking_dialect("<think>", "</think>")
