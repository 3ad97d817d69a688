"""What a work asks for, made definite before it runs, and what makes it impossible."""

from math import isfinite

import attrs

from actorllm.actors.runner.engine.types import Work
from actorllm.actors.runner.engine.windows import SMALLEST_WINDOW

__all__ = ["fault_of", "settled", "shift_of"]

_SMALLEST_TAIL = 4
"""Cells that a context shift leaves beyond those that are kept."""


def settled(work: Work, window: int, *, deterministic: bool) -> Work:
    """Fill in what a work leaves to an engine with such a window and mode."""
    if work.window > 0:
        window = max(SMALLEST_WINDOW, min(work.window, window))
    return attrs.evolve(work, window=window, deterministic=work.deterministic or deterministic)


def fault_of(work: Work, n_vocab: int) -> str:
    """Say what makes a settled work impossible; empty if nothing does."""
    tokens = (*work.prompt, *work.resume)
    if not work.prompt:
        return "the prompt is empty"
    if len(work.prompt) >= work.window:
        return (
            f"the prompt has {len(work.prompt)} tokens, but the context window holds"
            f" {work.window}; shorten the prompt or raise num_ctx"
        )
    if min(tokens) < 0 or max(tokens) >= n_vocab:
        return f"the prompt has tokens outside the vocabulary of {n_vocab}"
    if not all(isfinite(v) for v in attrs.astuple(work.sampling) if isinstance(v, float)):
        return "a sampling option is not a finite number"
    return ""


def shift_of(work: Work, length: int, bos: int | None) -> tuple[int, int]:
    """Decide, for a full window, how many tokens are kept at its start and how many then go."""
    keep = work.num_keep
    if keep < 0:
        keep = len(work.prompt)
    elif work.prompt[0] == bos:
        keep += 1
    keep = max(0, min(keep, length - _SMALLEST_TAIL))
    return keep, (length - keep) // 2
