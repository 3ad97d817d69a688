"""Embeddings: inputs to tokens that fit, vectors to the dimensions that were asked for.

A reranker reads each document together with the query; what it gives is a score in place of a vector.
"""

import math
from collections.abc import Sequence

import attrs

from actorllm.actors.runner.engine.types import EngineError, Loaded
from actorllm.actors.runner.host import EngineHost
from actorllm.actors.runner.messages import Embed
from actorllm.protocol.errors import Problem, Refused

__all__ = ["Fitted", "fit_inputs", "score", "shape_vectors"]

_TOO_LONG = "the input length exceeds the context length"
_NO_ROOM = "input after truncation exceeds maximum context length"
_FLAT = 700.0
"""Where the logistic function is 0 in a double, and its exponential would overflow."""


@attrs.frozen
class Fitted:
    """Inputs as tokens."""

    tokens: list[list[int]]
    lost: list[int]
    """Tokens that each of them lost."""

    @property
    def truncated(self) -> tuple[int, ...]:
        """What was lost; empty if nothing was."""
        return tuple(self.lost) if any(self.lost) else ()


def fit_inputs(host: EngineHost, loaded: Loaded, m: Embed) -> Fitted:
    """Tokenize the inputs; cut those that are too long.

    Raises:
        Refused: 400, an input is too long and may not be cut.
    """
    if m.num_ctx == 0:
        raise Refused.because(
            400, "input exceeds maximum context length and cannot be truncated further"
        )
    window = min(m.num_ctx or loaded.n_ctx, loaded.n_ctx, loaded.n_ctx_train or loaded.n_ctx)
    try:
        if m.tokens:
            fitted = [_cut(loaded, tokens, window, cut=m.truncate) for tokens in m.tokens]
        elif m.query is not None:
            pairs = _Pairs(host, m.query, window, cut=m.truncate)
            fitted = [pairs.fit(text) for text in m.inputs]
        else:
            fitted = [_fit(host, text, window, cut=m.truncate) for text in m.inputs]
    except EngineError as e:
        raise Refused.because(400, str(e)) from None
    return Fitted([tokens for tokens, _ in fitted], [lost for _, lost in fitted])


def _cut(loaded: Loaded, tokens: Sequence[int], window: int, *, cut: bool) -> tuple[list[int], int]:
    for token in tokens:
        if not 0 <= token < loaded.n_vocab:
            raise EngineError(f"token {token} is not in the vocabulary of {loaded.n_vocab} tokens")
    if len(tokens) > window and not cut:
        raise _too_long(len(tokens), window)
    return list(tokens[:window]), max(0, len(tokens) - window)


def _fit(host: EngineHost, text: str, window: int, *, cut: bool) -> tuple[list[int], int]:
    tokens = host.tokenize(text, add_special=True, parse_special=True)
    if len(tokens) <= window:
        return tokens, 0
    if not cut:
        raise _too_long(len(tokens), window)
    bare = host.tokenize(text, add_special=False, parse_special=True)
    room = window - (len(tokens) - len(bare))
    if room <= 0:
        raise Refused.because(400, _NO_ROOM)
    before = _index_of(tokens, bare)
    return tokens[:before] + bare[:room] + tokens[before + len(bare) :], len(bare) - room


def _too_long(tokens: int, window: int) -> Refused:
    return Refused(Problem(400, _TOO_LONG, n_prompt=tokens, n_ctx=window))


class _Pairs:
    """Pairs of a query and a document, as a reranker reads them.

    Documents lose their end first; a query that alone fills half of the window loses its own.
    """

    def __init__(self, host: EngineHost, query: str, window: int, *, cut: bool) -> None:
        self._host = host
        self._window = window
        self._cut = cut
        pairing = host.pairing()
        if pairing.template:
            before, middle, after = pairing.parts()
            self._before = host.tokenize(before, add_special=False, parse_special=True)
            self._middle = host.tokenize(middle.rstrip(" "), add_special=False, parse_special=True)
            self._after = host.tokenize(after, add_special=False, parse_special=True)
            self._spaces = " " * (len(middle) - len(middle.rstrip(" ")))
        else:
            self._before, self._after = _around(host)
            self._middle = [*self._after, *pairing.between]
            self._spaces = ""
        self._query = self._plain(query)
        room = window - self._fixed
        most = room // 2 if cut else room
        if len(self._query) > most and not cut:
            raise _too_long(self._fixed + len(self._query), window)
        if most <= 0:
            raise Refused.because(400, _NO_ROOM)
        self._lost = max(0, len(self._query) - most)
        self._query = self._query[:most]

    @property
    def _fixed(self) -> int:
        return len(self._before) + len(self._middle) + len(self._after)

    def _plain(self, text: str) -> list[int]:
        """Tokens of a text of the client, which must not spell special ones."""
        return self._host.tokenize(text, add_special=False, parse_special=False)

    def fit(self, document: str) -> tuple[list[int], int]:
        """Return the tokens of a pair, and how many were lost."""
        tokens = self._plain(self._spaces + document)
        room = self._window - self._fixed - len(self._query)
        lost = max(0, len(tokens) - room)
        if lost and not self._cut:
            raise _too_long(self._window + lost, self._window)
        pair = [*self._before, *self._query, *self._middle, *tokens[:room], *self._after]
        return pair, lost + self._lost


def _around(host: EngineHost) -> tuple[list[int], list[int]]:
    """The special tokens before a text, and those behind it."""
    mark = host.tokenize("a", add_special=False, parse_special=False)
    marked = host.tokenize("a", add_special=True, parse_special=False)
    before = _index_of(marked, mark)
    return list(marked[:before]), list(marked[before + len(mark) :])


def score(values: Sequence[float], *, normalize: bool) -> float:
    """Read how well a document fits.

    A model with one output gives a logit; one with several gives the probability of "yes" first.

    Args:
        values: The model's outputs.
        normalize: Bring a logit between 0 and 1, by the logistic function.

    Raises:
        Refused: 400, it is no number.
    """
    value = values[0]
    if not math.isfinite(value):
        raise Refused.because(400, "the score is not a number")
    if len(values) > 1 or not normalize:
        return value
    return 1 / (1 + math.exp(-value)) if value > -_FLAT else 0.0


def _index_of(tokens: Sequence[int], bare: Sequence[int]) -> int:
    """How many special tokens stand before the text."""
    extra = len(tokens) - len(bare)
    return next((n for n in range(extra + 1) if list(tokens[n : n + len(bare)]) == list(bare)), 0)


def shape_vectors(
    vectors: Sequence[Sequence[float]], dimensions: int, *, normalize: bool
) -> tuple[tuple[float, ...], ...]:
    """Cut vectors to their first dimensions and make their length 1 again.

    Raises:
        Refused: 400, a vector has values that are no numbers.
    """
    return tuple(_shape(v, dimensions, normalize=normalize) for v in vectors)


def _shape(vector: Sequence[float], dimensions: int, *, normalize: bool) -> tuple[float, ...]:
    if not all(map(math.isfinite, vector)):
        raise Refused.because(400, "embedding contains NaN or Inf values")
    if not 0 < dimensions < len(vector):
        return tuple(vector)
    cut = vector[:dimensions]
    length = math.sqrt(sum(x * x for x in cut)) if normalize else 1.0
    return tuple(x / length for x in cut) if length else tuple(cut)
