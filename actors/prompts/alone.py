"""What can be answered without a runner: it takes no vocabulary. All of it blocks.

The imports of templates and parsers are inside: most daemons never look at a prompt.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from actorllm.actors.prompts.bounds import check_prompt
from actorllm.actors.prompts.sources import kind_of_template, own_reason
from actorllm.actors.queue.checks import effective_think
from actorllm.protocol.chat import ChatMessage
from actorllm.protocol.codec import evolve
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import GenerateRequest
from actorllm.protocol.messages.models import ResolvedModel
from actorllm.protocol.messages.prompts import (
    AnswerPart,
    ParseAnswer,
    ParsedAnswer,
    RenderedPrompt,
    RenderPrompt,
)

if TYPE_CHECKING:
    from actorllm.actors.runner.parse import OutputParser, Parsed

__all__ = ["check", "parse", "render", "why"]

_GREETING = (ChatMessage("user", "Hello!"),)


def why(model: ResolvedModel, made_by: str) -> str | None:
    """Say why a model's template was chosen, where it was the model's nature and no setting."""
    from actorllm.actors.runner.conversation import templates_of
    from actorllm.actors.runner.prompt.select import choose

    free = choose(templates_of(model))
    return free.reason if free.kind == made_by else None


def check(m: RenderPrompt) -> None:
    """Refuse a renderer that there is not, and a template that is no template.

    Raises:
        Refused: 404 or 400.
    """
    from actorllm.actors.runner.prompt.errors import TemplateError
    from actorllm.actors.runner.prompt.gotemplate import GoTemplate
    from actorllm.actors.runner.prompt.jinja import JinjaTemplate
    from actorllm.actors.runner.prompt.renderers import RENDERERS, resolve

    if m.renderer and resolve(m.renderer) not in RENDERERS:
        raise Refused.because(404, f"there is no renderer {m.renderer[:80]!r}")
    try:
        if m.template:
            (GoTemplate if kind_of_template(m.template) == "go" else JinjaTemplate)(m.template)
    except TemplateError as e:
        raise _by_client(e) from e


def render(m: RenderPrompt, now: float) -> RenderedPrompt:
    """Make a prompt with the question's own renderer or template.

    Raises:
        Refused: There is no such renderer (404), or the template fails (400).
    """
    from actorllm.actors.runner.prompt.errors import TemplateError
    from actorllm.actors.runner.prompt.rendering import render_chat
    from actorllm.actors.runner.prompt.select import PromptTemplates

    check(m)
    go = m.template if kind_of_template(m.template) == "go" else ""
    jinja = "" if go else m.template
    templates = PromptTemplates(renderer=m.renderer, go=go, jinja=jinja)
    date = datetime.fromtimestamp(now, UTC)
    try:
        made = render_chat(templates, m.messages, m.tools, m.think, now=date)
    except TemplateError as e:
        raise _by_client(e) from e
    check_prompt(made.text)
    return RenderedPrompt(
        text=made.text,
        template=made.choice.kind,
        reason=own_reason(m),
        starts_in_thinking=made.starts_in_thinking,
        images=len(made.images),
    )


def _by_client(error: Refused) -> Refused:
    """A template that fails is the client's own here: no failure of the server."""
    return Refused.because(400, error.problem.text)


def parse(m: ParseAnswer, model: ResolvedModel | None, now: float) -> ParsedAnswer:
    """Read a model's output.

    Args:
        m: The question.
        model: The model that it names; None: it names a parser alone.
        now: Unix seconds, for a prompt that tells the date.

    Raises:
        Refused: There is no such parser, or the template of the model fails.
    """
    from actorllm.actors.runner.parse import make_parser
    from actorllm.actors.runner.pieces import call_id

    name, native = m.parser, False
    if model is None:
        last = m.messages[-1] if m.messages else None
        parser = make_parser(m.parser, tools=m.tools, think=m.think, last_message=last)
    else:
        parser, name, native = _parser_of(m, model, now)
    steps = _read(parser, m.chunks)
    parts = tuple(_part(step, lambda: call_id(native=native)) for step in steps)
    whole = AnswerPart(
        content="".join(part.content for part in parts),
        thinking="".join(part.thinking for part in parts),
        tool_calls=tuple(call for part in parts for call in part.tool_calls),
    )
    return ParsedAnswer(name, whole, parts, any(step.unparsed for step in steps))


def _parser_of(
    m: ParseAnswer, model: ResolvedModel, now: float
) -> "tuple[OutputParser, str, bool]":
    """The parser that a generation would have, its name, and whether the prompt is native."""
    from actorllm.actors.runner.conversation import conversation, render_conversation, templates_of
    from actorllm.actors.runner.reading import parser_name, parser_of

    model = evolve(model, parser=m.parser) if m.parser else model
    messages = m.messages or _GREETING
    request = GenerateRequest(m.model, "chat", messages=messages, tools=m.tools, think=m.think)
    request = evolve(request, think=effective_think(request, model))
    templates = templates_of(model)
    date = datetime.fromtimestamp(now, UTC)
    rendered = render_conversation(model, request, templates, conversation(model, messages), date)
    parser = parser_of(model, request, templates, rendered)
    return parser, parser_name(model, rendered), rendered.choice.native


def _read(parser: "OutputParser", chunks: Sequence[str]) -> "list[Parsed]":
    return [*map(parser.feed, chunks), parser.finish()]


def _part(step: "Parsed", new_id: Callable[[], str]) -> AnswerPart:
    calls = tuple(call if call.id else evolve(call, id=new_id()) for call in step.tool_calls)
    return AnswerPart(step.content, step.thinking, calls)
