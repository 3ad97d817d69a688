"""Logarithms of probabilities from raw logits."""

from collections.abc import Callable
from typing import Any

import numpy as np

from actorllm.actors.runner.engine.types import Logprob, TokenLogprob

__all__ = ["LOWEST", "MAX_TOP", "Logits", "floor_of", "token_logprob"]

Logits = np.ndarray[Any, np.dtype[np.float32]]

_ROWS = 64
"""Logits in a column."""
_SPARE = 4
"""A floor is only sought where there are so many times more columns than wanted tokens."""
LOWEST = float(np.finfo(np.float32).min)
"""A logit below it is that of a token which cannot come."""
_CERTAIN = 1e-6
_HALF_ULP = 2.0**-24
"""Of 1 in single precision."""

MAX_TOP = 20
"""Most rivals that are reported for a token."""


def token_logprob(
    logits: Logits, token: int, top: int, piece: Callable[[int], bytes]
) -> TokenLogprob:
    """Report a token's log probability and the `top` likeliest tokens of the same row."""
    largest = float(logits.max())
    norm = largest + float(np.log(_sum(np.exp(logits - largest))))
    rivals = _likeliest(logits, min(top, MAX_TOP))

    def entry(index: int) -> Logprob:
        return Logprob(index, piece(index), float(logits[index]) - norm)

    return TokenLogprob(entry(token), tuple(entry(int(index)) for index in rivals))


def floor_of(logits: Logits, count: int) -> float:
    """Give a bound that at least the `count` likeliest tokens reach, and hardly any more.

    The vocabulary is folded into columns: the least of the `count` highest columns is such a bound.
    It takes a tenth of the time of a partial sort. -inf is never reached.
    """
    columns = len(logits) // _ROWS
    if count <= 0 or count * _SPARE > columns:
        return LOWEST
    heads = logits[: columns * _ROWS].reshape(_ROWS, columns).max(axis=0)
    heads.partition(columns - count)
    return max(float(heads[columns - count]), LOWEST)


def _sum(weights: Logits) -> float:
    """Sum weights of which the largest is 1.

    In double, since 100,000 terms in single precision would show in the last digits. Only where
    one token has all but a millionth, terms that single precision would lose are lost here, too:
    a certain token then has a log probability of 0, as clients know it.
    """
    total = float(weights.sum(dtype=np.float64))
    if total < 1 + _CERTAIN:
        total = float(weights[weights >= _HALF_ULP].sum(dtype=np.float64))
    return total


def _likeliest(logits: Logits, count: int) -> "np.ndarray[Any, Any]":
    if count <= 0:
        return np.empty(0, np.int64)
    some = np.flatnonzero(logits >= np.float32(floor_of(logits, count)))
    return some[np.lexsort((some, -logits[some]))][:count]
