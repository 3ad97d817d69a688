"""How long the texts may be that are looked at: work and answers stay bounded."""

from collections.abc import Sequence

from actorllm.protocol.errors import Refused

__all__ = ["check_answer", "check_prompt", "check_text", "check_tokens"]

_TEXT = 1 << 20
"""Characters of a text that is split."""
_SHOWN = 1 << 17
"""Characters of a text whose tokens are all spelled out, each by itself."""
_TOKENS = 1 << 20
_ANSWER = 1 << 20
"""Characters of a model's output."""
_CHUNKS = 1 << 16
_PROMPT = 8 << 20
"""Characters of a prompt that is made without a model, and so without its window."""


def check_text(text: str, *, shown: bool) -> None:
    """Refuse (413) a text that is too long to be split, or to be shown token by token."""
    _check(len(text), _SHOWN if shown else _TEXT, "text", "characters")


def check_tokens(tokens: Sequence[int]) -> None:
    """Refuse (413) tokens that are too many to be joined."""
    _check(len(tokens), _TOKENS, "list", "tokens")


def check_answer(chunks: Sequence[str]) -> None:
    """Refuse (413) an answer that is too long to be parsed."""
    _check(len(chunks), _CHUNKS, "list", "chunks")
    _check(sum(map(len, chunks)), _ANSWER, "text", "characters")


def check_prompt(text: str) -> None:
    """Refuse (413) a prompt that is too long to be sent."""
    _check(len(text), _PROMPT, "prompt", "characters")


def _check(size: int, most: int, what: str, unit: str) -> None:
    if size > most:
        raise Refused.because(413, f"the {what} has {size} {unit}; at most {most} are taken")
