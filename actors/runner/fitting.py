"""Prompts that are longer than the window: what is dropped, and that it is said."""

from collections.abc import Callable, Sequence

import attrs

from actorllm.actors.runner.prompt import truncate
from actorllm.actors.runner.prompt.rendering import Rendered
from actorllm.protocol.chat import ChatMessage
from actorllm.protocol.errors import Problem, Refused

__all__ = ["TOO_LONG", "Fitted", "fit_chat", "fit_tokens"]

TOO_LONG = (
    "the prompt is longer than the context length currently available to the model; "
    "shorten the prompt, adjust the context length in settings, or use a model with a "
    "longer context length"
)


@attrs.frozen
class Fitted:
    """A prompt and what had to go."""

    text: str
    tokens: tuple[int, ...]
    dropped_messages: int = 0
    dropped_tokens: int = 0

    @property
    def notices(self) -> tuple[str, ...]:
        """One line for each kind of loss."""
        lines = []
        if self.dropped_messages:
            lines.append(f"the context is too small: {self.dropped_messages} messages were dropped")
        if self.dropped_tokens:
            lines.append(f"the context is too small: {self.dropped_tokens} tokens were dropped")
        return tuple(lines)


def fit_chat(
    messages: Sequence[ChatMessage],
    render: Callable[[Sequence[ChatMessage]], Rendered],
    tokenize: Callable[[Rendered], tuple[int, ...]],
    window: int | None,
) -> tuple[Fitted, Rendered]:
    """Drop the oldest messages of a conversation until its prompt fits, and a token behind it.

    Args:
        messages: The conversation.
        render: Makes the prompt of some of its messages.
        tokenize: Turns a prompt into tokens.
        window: Tokens of context; None: nothing is dropped.
    """
    if window is None:
        made = render(messages)
        return Fitted(made.text, tokenize(made)), made
    tokens: dict[str, tuple[int, ...]] = {}

    def render_and_count(kept: Sequence[ChatMessage]) -> Rendered:
        made = render(kept)
        tokens[made.text] = tokenize(made)
        return made

    kept = truncate.fit(
        messages,
        render=render_and_count,
        count_tokens=lambda text: len(tokens[text]),
        num_ctx=window - 1,
        image_tokens=0,
    )
    text = kept.rendered.text
    return Fitted(text, tokens[text], len(kept.dropped), kept.dropped_tokens), kept.rendered


def fit_tokens(fitted: Fitted, window: int, keep: int, *, shift: bool, truncate: bool) -> Fitted:
    """Cut a prompt that alone is longer than the window: its first `keep` tokens and its end stay.

    About half of the window is left free for the answer.

    Raises:
        Refused: 400, it may not be cut.
    """
    count = len(fitted.tokens)
    if count < window:
        return fitted
    if not truncate:
        text = (
            f"request ({count} tokens) exceeds the available context size ({window} tokens), "
            f"try increasing it (n_prompt: {count}, n_ctx: {window})"
        )
        raise Refused(Problem(400, text, by_runner=True, n_prompt=count, n_ctx=window))
    if not shift:
        raise Refused(Problem(400, TOO_LONG, by_runner=True, n_prompt=count, n_ctx=window))
    keep = min(max(keep, 0), window // 4) if keep >= 0 else window // 4
    tail = max(1, window // 2 - keep)
    tokens = (*fitted.tokens[:keep], *fitted.tokens[count - tail :])
    return attrs.evolve(
        fitted, tokens=tokens, dropped_tokens=fitted.dropped_tokens + count - len(tokens)
    )
