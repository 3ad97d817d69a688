"""What can be refused before anything is loaded: in the order and the words of the protocol."""

from typing import Any

from actorllm.protocol import gojson
from actorllm.protocol.errors import Problem, Refused
from actorllm.protocol.messages.generation import EmbedRequest, GenerateRequest
from actorllm.protocol.messages.models import ResolvedModel

__all__ = [
    "check_capabilities",
    "check_format",
    "check_grammar",
    "check_media",
    "check_pooling",
    "effective_think",
    "is_empty",
]

_RANK = 4
"""The pooling type of rerankers."""


def is_empty(request: GenerateRequest) -> bool:
    """Whether the request wants a model loaded or unloaded, and nothing generated."""
    if request.kind == "chat":
        return not request.messages
    return not (request.prompt or request.tokens)


def check_capabilities(request: GenerateRequest, model: ResolvedModel) -> None:
    """Refuse what the model cannot do.

    Raises:
        Refused: 400.
    """
    has = model.capabilities
    if request.raw and (request.template or request.system or request.context):
        raise Refused.because(400, "raw mode does not support template, system, or context")
    if request.think and "thinking" not in has and not request.drop_unsupported_thinking:
        raise Refused.because(400, f'"{request.model}" does not support thinking')
    if "completion" not in has:
        raise Refused.because(400, f'"{request.model}" does not support {request.kind}')
    lacking = []
    if request.tools and "tools" not in has:
        lacking.append(f"{model.full_name} does not support tools")
    if request.suffix and "insert" not in has:
        lacking.append(f"{model.full_name} does not support insert")
    if lacking:
        raise Refused.because(400, "\n".join(lacking))
    unread = is_empty(request) or request.render_only
    if _has_media(request) and not (unread or {"vision", "audio"} & set(has)):
        raise Refused.because(
            400, f'"{request.model}" does not support images; remove them or use a vision model'
        )


def check_media(request: GenerateRequest) -> None:
    """Refuse images and sounds where an answer to them is wanted: no projector is run.

    A rendered prompt shows where they would stand.

    Raises:
        Refused: 400.
    """
    if _has_media(request) and not (is_empty(request) or request.render_only):
        raise Refused.because(
            400, f'"{request.model}" sees, but this server does not run projectors; remove images'
        )


def _has_media(request: GenerateRequest) -> bool:
    return bool(request.images) or any(message.images for message in request.messages)


def check_pooling(request: EmbedRequest, model: ResolvedModel) -> None:
    """Refuse to rank with what is no reranker, and to embed with one.

    Raises:
        Refused: 400.
    """
    ranks = model.pooling == _RANK
    if request.query is not None and not ranks:
        raise Refused.because(
            400,
            f'"{request.model}" does not rerank: its weights have no rank pooling; '
            "use a reranking model, such as bge-reranker-v2-m3",
        )
    if request.query is None and ranks:
        raise Refused.because(
            400, f'"{request.model}" ranks documents and does not embed; use /api/rerank'
        )


def effective_think(request: GenerateRequest, model: ResolvedModel) -> bool | str | None:
    """The request's `think`, or true for a thinking model when the request does not say."""
    if "thinking" not in model.capabilities:
        return None if request.drop_unsupported_thinking else request.think
    return True if request.think is None else request.think


def check_grammar(request: GenerateRequest) -> None:
    """Find out whether a grammar is all that the answer must keep to.

    Raises:
        Refused: 400, something else is wanted, too.
    """
    if request.grammar and request.format not in (None, ""):
        raise Refused.because(400, "an answer keeps to a format or to a grammar: give one of them")
    if request.grammar and request.tool_choice is not None:
        raise Refused.because(400, "with a grammar there is no tool_choice: the grammar holds all")


def check_format(wanted: Any) -> None:
    """Refuse a format that is neither none, nor "json", nor a schema.

    Raises:
        Refused: 500, as clients of the protocol expect it.
    """
    if wanted in (None, "", "json") or isinstance(wanted, dict):
        return
    quoted = gojson.text(gojson.text(wanted))
    said = f'invalid format: {quoted}; expected "json" or a valid JSON Schema object'
    raise Refused(Problem(500, said, by_runner=True))
