"""A request to what the engine gets: prompt tokens, stops, sampling, and the parser of the answer.

It blocks (templates may take their time): call it from a thread.
"""

from datetime import UTC, datetime

import attrs

from actorllm.actors.runner.engine.types import Loaded, Sampling
from actorllm.actors.runner.host import EngineHost
from actorllm.actors.runner.messages import Generate
from actorllm.actors.runner.parse import OutputParser, TemplateFacts, make_parser
from actorllm.actors.runner.prompt.fallback import render_chatml
from actorllm.actors.runner.prompt.jinja import JinjaTemplate
from actorllm.actors.runner.prompt.jinja_chat import habits_of, jinja_variables
from actorllm.actors.runner.structure import grammar_of
from actorllm.protocol.chat import ChatMessage
from actorllm.protocol.errors import Refused

__all__ = ["Prepared", "prepare", "sampling_of"]

TOO_LONG = (
    "the prompt is longer than the context length currently available to the model; "
    "shorten the prompt, adjust the context length in settings, or use a model with a "
    "longer context length"
)


@attrs.frozen(kw_only=True)
class Prepared:
    """A request, ready for the engine."""

    text: str
    tokens: tuple[int, ...]
    parser: OutputParser
    stops: tuple[str, ...]
    shift: bool
    native: bool
    """Whether a Jinja template made the prompt."""
    images: int = 0
    truncated_messages: int = 0
    truncated_tokens: int = 0
    notices: tuple[str, ...] = ()


def prepare(host: EngineHost, loaded: Loaded, m: Generate) -> Prepared:
    """Render, tokenize and fit a request.

    Raises:
        Refused: The template fails, or the prompt does not fit.
    """
    request = m.request
    window = min(m.options.num_ctx or loaded.n_ctx, loaded.n_ctx)
    messages = _messages(m)
    if request.raw:
        text = request.prompt
    elif m.model.chat_template and m.model.native:
        now = datetime.fromtimestamp(m.now, UTC)
        text = JinjaTemplate(m.model.chat_template).render(
            jinja_variables(
                messages,
                request.tools,
                request.think,
                now=now,
                habits=habits_of(m.model.chat_template),
            ),
            now,
        )
    else:
        text = render_chatml(messages)
    tokens = tuple(host.tokenize(text, add_special=True, parse_special=True))
    if len(tokens) >= window:
        raise Refused.because(400, TOO_LONG)
    facts = TemplateFacts("jinja", m.model.chat_template or "")
    parser = make_parser(
        m.model.parser or None, template=facts, tools=request.tools, think=request.think
    )
    return Prepared(
        text=text,
        tokens=tokens,
        parser=parser,
        stops=m.options.stop,
        shift=True if request.shift is None else request.shift,
        native=m.model.native,
    )


def _messages(m: Generate) -> tuple[ChatMessage, ...]:
    request, model = m.request, m.model
    if request.kind == "chat":
        given = (*model.messages, *request.messages)
        system = model.system if request.messages[0].role != "system" else ""
    else:
        given = (*model.messages, ChatMessage("user", request.prompt, images=request.images))
        system = request.system or model.system
    return (ChatMessage("system", system), *given) if system else given


def sampling_of(m: Generate, prepared: Prepared) -> Sampling:
    """The engine's sampling settings from the merged options."""
    o = m.options
    return Sampling(
        seed=o.seed,
        temperature=o.temperature,
        top_k=o.top_k,
        top_p=o.top_p,
        min_p=o.min_p,
        typical_p=o.typical_p,
        repeat_last_n=o.repeat_last_n,
        repeat_penalty=o.repeat_penalty,
        presence_penalty=o.presence_penalty,
        frequency_penalty=o.frequency_penalty,
        logprobs=m.request.logprobs,
        top_logprobs=m.request.top_logprobs,
        grammar=grammar_of(m.request.format),
    )
