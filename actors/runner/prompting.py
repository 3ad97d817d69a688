"""A request to what the engine gets: tokens, stops, structure, and the parser of the answer.

It blocks (templates may take their time): call it from a thread.
"""

from datetime import UTC, datetime

import attrs

from actorllm.actors.runner.conversation import (
    conversation,
    render_conversation,
    templates_of,
)
from actorllm.actors.runner.engine.types import EngineError, Loaded, Structure, Thinking
from actorllm.actors.runner.engine.windows import window_of
from actorllm.actors.runner.fitting import Fitted, fit_chat, fit_tokens
from actorllm.actors.runner.host import EngineHost
from actorllm.actors.runner.messages import Generate
from actorllm.actors.runner.parse import OutputParser
from actorllm.actors.runner.prompt.rendering import Rendered, render_generate
from actorllm.actors.runner.prompt.select import Choice, PromptTemplates
from actorllm.actors.runner.reading import parser_of
from actorllm.actors.runner.thoughts import thinking_tags_of
from actorllm.protocol.codec import evolve
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import GenerateRequest

__all__ = ["Prepared", "prepare"]

_UNTOLD = "think_budget is not kept to: how this model marks its thoughts is not known"
_NO_SHIFT_FAMILIES = frozenset({"deepseek2"})
"""Families whose cache cannot be shifted."""


@attrs.frozen(kw_only=True)
class Prepared:
    """A request, ready for the engine."""

    text: str
    tokens: tuple[int, ...]
    parser: OutputParser
    stops: tuple[str, ...]
    shift: bool
    window: int
    """Tokens of context that the request has."""
    native: bool
    """Whether the prompt was made by a Jinja template or the fallback for none."""
    choice: Choice | None = None
    """Which template made the prompt; None: it was raw."""
    starts_in_thinking: bool = False
    was_cut: bool = False
    """The tokens are fewer than those of the text."""
    structure: Structure | None = None
    thinking: Thinking | None = None
    images: int = 0
    truncated_messages: int = 0
    truncated_tokens: int = 0
    notices: tuple[str, ...] = ()


def prepare(host: EngineHost, loaded: Loaded, m: Generate) -> Prepared:
    """Render, tokenize and fit a request.

    Raises:
        Refused: The template fails, the prompt does not fit, or the model cannot do it.
    """
    m = _without_tools_to_call(m)
    request = m.request
    shift = request.shift is not False and m.model.architecture not in _NO_SHIFT_FAMILIES
    window = window_of(m.options.num_ctx, loaded.n_ctx)
    templates = templates_of(
        m.model,
        bos=_piece(host, loaded.bos),
        eos=_piece(host, loaded.eos),
        fim=tuple(_piece(host, token) for token in loaded.fim),
    )
    fitted, rendered = _render(host, templates, m, window)
    structure, unheld = _structure(host, m, templates, rendered)
    thinking, unlimited = _thinking(host, m, rendered)
    if request.render_only:
        cut = fitted
    else:
        cut = fit_tokens(fitted, window, m.options.num_keep, shift=shift, truncate=request.truncate)
    return Prepared(
        text=cut.text,
        tokens=cut.tokens,
        parser=parser_of(m.model, request, templates, rendered),
        stops=m.options.stop,
        shift=shift,
        window=window,
        native=rendered is None or rendered.choice.native,
        choice=rendered.choice if rendered is not None else None,
        starts_in_thinking=rendered is not None and rendered.starts_in_thinking,
        was_cut=len(cut.tokens) < len(fitted.tokens),
        structure=structure,
        thinking=thinking,
        images=len(rendered.images) if rendered is not None else 0,
        truncated_messages=cut.dropped_messages,
        truncated_tokens=cut.dropped_tokens,
        notices=(
            *_smaller(m.options.num_ctx, loaded.n_ctx),
            *cut.notices,
            *_unused(request, rendered),
            *unheld,
            *unlimited,
        ),
    )


def _without_tools_to_call(m: Generate) -> Generate:
    """Leave tools out that may not be called: the model does not see them."""
    request = m.request
    if request.tool_choice is None or request.tool_choice.mode != "none":
        return m
    return evolve(m, request=evolve(request, tools=()))


def _render(
    host: EngineHost, templates: PromptTemplates, m: Generate, window: int
) -> tuple[Fitted, Rendered | None]:
    request, model = m.request, m.model
    now = datetime.fromtimestamp(m.now, UTC)
    if request.tokens:
        return Fitted(_text(host, request.tokens), request.tokens), None
    if request.raw:
        return Fitted(request.prompt, _tokens(host, request.prompt, bos=True)), None
    if request.kind == "chat":
        return fit_chat(
            conversation(model, request.messages),
            lambda kept: render_conversation(model, request, templates, kept, now),
            lambda made: _tokens(host, made.text, bos=not made.has_bos),
            window if request.truncate else None,
        )
    made = render_generate(
        templates,
        request.prompt,
        suffix=request.suffix,
        system=request.system or model.system,
        think=request.think,
        images=request.images,
        history=model.messages if request.context is None else (),
        template=request.template,
        now=now,
        prefer_go=not model.native,
    )
    before = _text(host, request.context or ())
    text = before + made.text
    return Fitted(text, _tokens(host, text, bos=not (before or made.has_bos))), made


def _structure(
    host: EngineHost, m: Generate, templates: PromptTemplates, rendered: Rendered | None
) -> tuple[Structure | None, tuple[str, ...]]:
    """Give the structure of the answer, compiled, and what it cannot hold, a line each."""
    request = m.request
    free = not request.grammar and not request.format and request.format != {}
    if free and request.tool_choice is None:
        return None, ()
    # Few answers have a structure, and the first token of none waits for grammars.
    from actorllm.actors.runner.structure import refused, structure_for

    structure, unheld = structure_for(m.model, request, templates, rendered)
    if structure is not None and not request.render_only:
        try:
            host.compile(structure)
        except EngineError as e:
            raise refused(e, structure) from None
    return structure, unheld


def _thinking(
    host: EngineHost, m: Generate, rendered: Rendered | None
) -> tuple[Thinking | None, tuple[str, ...]]:
    """Give the tags and the budget of the thoughts, and a notice if they cannot be told."""
    request = m.request
    opening, closings = thinking_tags_of(rendered, m.model.parser, request.think)
    if not closings:
        limited = request.think_budget is not None and "thinking" in m.model.capabilities
        asked = limited and request.think is not False
        return None, ((_UNTOLD,) if asked else ())
    ending = _tokens(host, closings[0], bos=False)
    return Thinking(opening, closings, ending, request.think_budget), ()


def _smaller(wanted: int | None, slot: int) -> tuple[str, ...]:
    """Say that there are fewer tokens of context than wanted: no more than it was trained for."""
    return (f"num_ctx {wanted} was cut to {slot}",) if (wanted or 0) > slot else ()


def _unused(request: GenerateRequest, rendered: Rendered | None) -> tuple[str, ...]:
    """Say which variables of the client no template has seen."""
    given = request.template_variables.keys() - {"enable_thinking"}
    if not given or (rendered is not None and rendered.choice.kind == "jinja"):
        return ()
    return ("chat_template_kwargs had no effect: no Jinja template makes the prompt",)


def _tokens(host: EngineHost, text: str, *, bos: bool) -> tuple[int, ...]:
    return tuple(host.tokenize(text, add_special=bos, parse_special=True))


def _text(host: EngineHost, tokens: tuple[int, ...]) -> str:
    """Return the text of tokens that a client has sent."""
    try:
        return host.detokenize(tokens).decode("utf-8", "replace")
    except EngineError as e:
        raise Refused.because(400, str(e)) from None


def _piece(host: EngineHost, token: int) -> str:
    return host.detokenize([token]).decode("utf-8", "replace") if token >= 0 else ""
