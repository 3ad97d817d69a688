"""Prompts and tokens for those who look at them. `tokenize` and `detokenize` block."""

from actorllm.actors.runner.engine.types import EngineError
from actorllm.actors.runner.host import EngineHost
from actorllm.actors.runner.messages import Detokenize, Tokenize
from actorllm.actors.runner.prompting import Prepared
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.prompts import DetokenizedText, RenderedPrompt, TextTokens

__all__ = ["detokenize", "prompt_of", "tokenize"]


def prompt_of(host: EngineHost, prepared: Prepared) -> RenderedPrompt:
    """Describe a prompt. The text of one that was cut is that of the tokens that are left."""
    choice = prepared.choice
    return RenderedPrompt(
        text=_text(host, prepared.tokens) if prepared.was_cut else prepared.text,
        template=choice.kind if choice is not None else "none",
        reason=choice.reason if choice is not None else "the prompt is raw",
        starts_in_thinking=prepared.starts_in_thinking,
        tokens=prepared.tokens,
        images=prepared.images,
        num_ctx=prepared.window,
        truncated_messages=prepared.truncated_messages,
        truncated_tokens=prepared.truncated_tokens,
        notices=prepared.notices,
    )


def tokenize(host: EngineHost, m: Tokenize) -> TextTokens:
    """Split a text.

    Raises:
        Refused: 400, the vocabulary cannot.
    """
    try:
        tokens = tuple(
            host.tokenize(m.text, add_special=m.add_special, parse_special=m.parse_special)
        )
        pieces = tuple(host.detokenize([token]) for token in tokens) if m.pieces else ()
    except EngineError as e:
        raise Refused.because(400, str(e)) from None
    return TextTokens(tokens, pieces)


def detokenize(host: EngineHost, m: Detokenize) -> DetokenizedText:
    """Join tokens.

    Raises:
        Refused: 400, the vocabulary has not all of them.
    """
    try:
        return DetokenizedText(_text(host, m.tokens))
    except EngineError as e:
        raise Refused.because(400, str(e)) from None


def _text(host: EngineHost, tokens: tuple[int, ...]) -> str:
    return host.detokenize(tokens).decode("utf-8", "replace")
