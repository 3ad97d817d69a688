"""Drops the oldest messages of a conversation that is too long for the context."""

from collections.abc import Callable, Sequence

from attrs import frozen

from actorllm.actors.runner.prompt.errors import LimitExceeded, TemplateError
from actorllm.actors.runner.prompt.rendering import Rendered
from actorllm.protocol.chat import ChatMessage

__all__ = ["IMAGE_TOKENS", "Fitted", "fit"]

IMAGE_TOKENS = 768
"""What an image is taken to cost before the projector has seen it."""


@frozen
class Fitted:
    """A conversation cut to its context, and its prompt."""

    rendered: Rendered
    messages: tuple[ChatMessage, ...]
    """What is left: all system messages, the last message, and the newest that fit."""
    tokens: int
    """The length of the prompt, images included."""
    dropped: tuple[ChatMessage, ...]
    dropped_tokens: int
    """By how much the prompt became shorter."""


def fit(
    messages: Sequence[ChatMessage],
    *,
    render: Callable[[Sequence[ChatMessage]], Rendered],
    count_tokens: Callable[[str], int],
    num_ctx: int,
    image_tokens: int = IMAGE_TOKENS,
) -> Fitted:
    """Drop the oldest messages until the prompt fits, or only what must stay is left.

    The place of the cut is searched by halving, so a long conversation is rendered a dozen times,
    not once for each message. A prompt that is too long even then is returned as it is: what to do
    about it is the caller's choice.

    Args:
        messages: the conversation.
        render: makes the prompt of some of its messages.
        count_tokens: the length of a text in tokens.
        num_ctx: tokens of the context.
        image_tokens: tokens of an image; 0 for a model that takes none.

    Raises:
        TemplateError: the template fails with the whole conversation and with every rest of it.
    """

    def measure(cut: int) -> tuple[Rendered, int]:
        rendered = render(_kept(messages, cut))
        return rendered, count_tokens(rendered.text) + image_tokens * len(rendered.images)

    whole, length = measure(0)
    if length <= num_ctx or len(messages) < 2:
        return Fitted(whole, tuple(messages), length, (), 0)
    cut, best = _search(len(messages) - 1, measure, num_ctx)
    rendered, tokens = best
    dropped = tuple(m for m in messages[:cut] if m.role != "system")
    kept = tuple(_kept(messages, cut))
    return Fitted(rendered, kept, tokens, dropped, max(0, length - tokens))


def _kept(messages: Sequence[ChatMessage], cut: int) -> list[ChatMessage]:
    return [m for n, m in enumerate(messages) if n >= cut or m.role == "system"]


def _search(
    last: int, measure: Callable[[int], tuple[Rendered, int]], num_ctx: int
) -> tuple[int, tuple[Rendered, int]]:
    """Return the smallest cut whose prompt fits, at most `last`, and that prompt."""
    low, high = 1, last
    best: tuple[int, tuple[Rendered, int]] | None = None
    while low < high:
        middle = (low + high) // 2
        found = _attempt(measure, middle)
        if found is not None and found[1] <= num_ctx:
            high, best = middle, (middle, found)
        else:
            low = middle + 1
    return best if best is not None and best[0] == high else (high, measure(high))


def _attempt(
    measure: Callable[[int], tuple[Rendered, int]], cut: int
) -> tuple[Rendered, int] | None:
    """Measure a cut; None if the template refuses what is left (an answer without its question)."""
    try:
        return measure(cut)
    except LimitExceeded:
        raise
    except TemplateError:
        return None
