"""A request to what the engine gets: prompt tokens, stops, sampling, and the parser of the answer.

It blocks (templates may take their time): call it from a thread.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import attrs

from actorllm.actors.runner.engine.types import EngineError, Loaded, Structure
from actorllm.actors.runner.engine.windows import window_of
from actorllm.actors.runner.fitting import Fitted, fit_chat, fit_tokens
from actorllm.actors.runner.host import EngineHost
from actorllm.actors.runner.messages import Generate
from actorllm.actors.runner.parse import OutputParser, TemplateFacts, make_parser
from actorllm.actors.runner.prompt import (
    Choice,
    PromptTemplates,
    Rendered,
    render_chat,
    render_generate,
)
from actorllm.actors.runner.structure import refused, structure_of
from actorllm.protocol.chat import ChatMessage, JsonObject, Tool
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import GenerateRequest
from actorllm.protocol.messages.models import ResolvedModel

__all__ = [
    "Prepared",
    "conversation",
    "parser_of",
    "prepare",
    "render_conversation",
    "templates_of",
]

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
    images: int = 0
    truncated_messages: int = 0
    truncated_tokens: int = 0
    notices: tuple[str, ...] = ()


def prepare(host: EngineHost, loaded: Loaded, m: Generate) -> Prepared:
    """Render, tokenize and fit a request.

    Raises:
        Refused: The template fails, the prompt does not fit, or the model cannot do it.
    """
    request = m.request
    shift = request.shift is not False and m.model.architecture not in _NO_SHIFT_FAMILIES
    window = window_of(m.options.num_ctx, loaded.n_ctx)
    templates = templates_of(m.model, bos=_piece(host, loaded.bos), eos=_piece(host, loaded.eos))
    fitted, rendered = _render(host, templates, m, window)
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
        native=rendered is None or rendered.choice.kind in ("jinja", "none"),
        choice=rendered.choice if rendered is not None else None,
        starts_in_thinking=rendered is not None and rendered.starts_in_thinking,
        was_cut=len(cut.tokens) < len(fitted.tokens),
        structure=_structure(host, m, rendered),
        images=len(rendered.images) if rendered is not None else 0,
        truncated_messages=cut.dropped_messages,
        truncated_tokens=cut.dropped_tokens,
        notices=cut.notices,
    )


def _render(
    host: EngineHost, templates: PromptTemplates, m: Generate, window: int
) -> tuple[Fitted, Rendered | None]:
    request, model = m.request, m.model
    now = datetime.fromtimestamp(m.now, UTC)
    if request.tokens:
        return _given_tokens(host, request.tokens), None
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
        history=() if request.context else model.messages,
        template=request.template,
        now=now,
        prefer_go=not model.native,
    )
    before = host.detokenize(request.context).decode("utf-8", "replace")
    text = before + made.text
    return Fitted(text, _tokens(host, text, bos=not (before or made.has_bos))), made


def _given_tokens(host: EngineHost, tokens: tuple[int, ...]) -> Fitted:
    try:
        return Fitted(host.detokenize(tokens).decode("utf-8", "replace"), tokens)
    except EngineError as e:
        raise Refused.because(400, str(e)) from None


def render_conversation(
    model: ResolvedModel,
    request: GenerateRequest,
    templates: PromptTemplates,
    messages: Sequence[ChatMessage],
    now: datetime,
) -> Rendered:
    """Make the prompt of some messages of a chat.

    Raises:
        Refused: The template fails, or refuses the conversation.
    """
    tools = tuple(map(_in_usual_order, request.tools)) if model.native else request.tools
    prefer_go = not model.native
    return render_chat(templates, messages, tools, request.think, now=now, prefer_go=prefer_go)


def conversation(model: ResolvedModel, messages: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
    """The model's own messages, its system message unless the client has one, the client's."""
    given = (*model.messages, *messages)
    if model.system and messages[0].role != "system":
        return (ChatMessage("system", model.system), *given)
    return given


def _in_usual_order(tool: Tool) -> Tool:
    """Put a declaration's keys where models have seen them: what must be given, then what may be.

    Clients send them in any order; the reference's decoder brings them into this one. Keys that it
    does not know are kept, behind the others.
    """
    function = tool.get("function")
    if not isinstance(function, dict):
        return tool
    parameters = function.get("parameters")
    if isinstance(parameters, dict):
        parameters = _ordered(parameters, ("type", "$defs", "items", "required", "properties"))
        function = function | {"parameters": parameters}
    function = _ordered(function, ("name", "description", "parameters"))
    return _ordered(tool | {"function": function}, ("type", "items", "function"))


def _ordered(value: JsonObject, first: Sequence[str]) -> JsonObject:
    return {key: value[key] for key in first if key in value} | value


def _tokens(host: EngineHost, text: str, *, bos: bool) -> tuple[int, ...]:
    return tuple(host.tokenize(text, add_special=bos, parse_special=True))


def templates_of(model: ResolvedModel, *, bos: str = "", eos: str = "") -> PromptTemplates:
    """What a model brings for its prompts, and the texts of its first and last token."""
    return PromptTemplates(
        jinja=model.chat_template or "",
        go=model.template or "",
        renderer=model.renderer,
        parser=model.parser,
        family=model.architecture,
        name=model.name,
        parameters=model.parameter_count,
        bos=bos,
        eos=eos,
    )


def _piece(host: EngineHost, token: int) -> str:
    return host.detokenize([token]).decode("utf-8", "replace") if token >= 0 else ""


def _structure(host: EngineHost, m: Generate, rendered: Rendered | None) -> Structure | None:
    request = m.request
    structure = structure_of(request.format, rendered, parser=m.model.parser, think=request.think)
    if structure is not None and not request.render_only:
        try:
            host.compile(structure)
        except EngineError as e:
            raise refused(e) from None
    return structure


def parser_of(
    model: ResolvedModel,
    request: GenerateRequest,
    templates: PromptTemplates,
    rendered: Rendered | None,
) -> OutputParser:
    """Choose the parser of the answer to a prompt; None: the prompt was raw.

    Raises:
        Refused: The model names a parser that there is not.
    """
    if rendered is None:  # raw: the client parses for itself
        return make_parser("passthrough")
    harmony = "harmony" if rendered.choice.harmony else None
    jinja = rendered.choice.kind in ("jinja", "none")
    facts = TemplateFacts(
        kind="jinja" if jinja else "go",
        text=templates.jinja if jinja else request.template or templates.go,
        think_open=rendered.tags.open,
        think_close=rendered.tags.close,
        tool_tag=rendered.tool_tag,
    )
    return make_parser(
        model.parser or harmony,
        template=facts,
        tools=request.tools,
        think=request.think,
        starts_in_thinking=rendered.starts_in_thinking,
        last_message=request.messages[-1] if request.messages else None,
    )
