"""Choosing a parser: by the name that a model declares, else by what its template writes."""

from collections.abc import Sequence

from attrs import frozen

from actorllm.actors.runner.parse.calls import Toolbox
from actorllm.actors.runner.parse.generic import generic_parser
from actorllm.actors.runner.parse.infer import infer_parser, thinking_tags
from actorllm.actors.runner.parse.parsed import OutputParser
from actorllm.actors.runner.parse.registry import PARSERS, Request
from actorllm.protocol.chat import ChatMessage, Think, Tool
from actorllm.protocol.errors import Refused

__all__ = ["TemplateFacts", "make_parser", "opens_thinking"]


@frozen
class TemplateFacts:
    """What is known of the template that made the prompt."""

    kind: str = "go"
    """`go` or `jinja`."""
    text: str = ""
    """The template itself."""
    think_open: str = ""
    """The tag before thinking that was found in a Go template; empty: none."""
    think_close: str = ""
    tool_tag: str = ""
    """The text before a call that was found in a Go template; `{` where nothing else was."""


def make_parser(
    name: str | None = None,
    *,
    template: TemplateFacts | None = None,
    tools: Sequence[Tool] = (),
    think: Think = None,
    starts_in_thinking: bool = False,
    last_message: ChatMessage | None = None,
) -> OutputParser:
    """Give the parser for one answer.

    Args:
        name: The parser that the model declares; it decides alone.
        template: Facts of the template, for models that declare none.
        tools: The tools of the request.
        think: The request's `think`.
        starts_in_thinking: Whether the prompt ends with an opening thinking tag. Declared parsers
            know their prompts and derive it from `think` and `last_message`.
        last_message: The last message of the request: a prefill, a tool's result.

    Raises:
        Refused: no parser has this name.
    """
    box = Toolbox(tools)
    if name:
        info = PARSERS.get(name)
        if info is None:
            raise Refused.because(400, f"unknown parser {name[:80]!r}; update actorllm to run it")
        return info.make(Request(box, think, last_message))
    facts = template or TemplateFacts()
    if facts.kind == "jinja":
        return infer_parser(facts.text, box, in_thinking=starts_in_thinking)
    return generic_parser(
        box,
        think_open=facts.think_open,
        think_close=facts.think_close,
        tool_tag=facts.tool_tag,
        template=facts.text,
        in_thinking=starts_in_thinking,
    )


def opens_thinking(prompt: str, template: TemplateFacts) -> bool:
    """Tell whether a prompt of this template leaves thinking open (`starts_in_thinking`)."""
    tag = template.think_open
    if template.kind == "jinja":
        tag, _ = thinking_tags(template.text)
    return bool(tag.strip()) and prompt.rstrip().endswith(tag.strip())
