"""Embeddings: inputs to tokens that fit, vectors to the dimensions that were asked for."""

import math
from collections.abc import Sequence

from actorllm.actors.runner.engine.types import Loaded
from actorllm.actors.runner.host import EngineHost
from actorllm.actors.runner.messages import Embed
from actorllm.protocol.errors import Refused

__all__ = ["fit_inputs", "shape_vectors"]


def fit_inputs(host: EngineHost, loaded: Loaded, m: Embed) -> list[list[int]]:
    """Tokenize the inputs; cut those that are too long.

    Raises:
        Refused: 400, an input is too long and may not be cut.
    """
    if m.num_ctx == 0:
        raise Refused.because(
            400, "input exceeds maximum context length and cannot be truncated further"
        )
    window = min(m.num_ctx or loaded.n_ctx, loaded.n_ctx, loaded.n_ctx_train or loaded.n_ctx)
    return [_fit(host, text, window, cut=m.truncate) for text in m.inputs]


def _fit(host: EngineHost, text: str, window: int, *, cut: bool) -> list[int]:
    tokens = host.tokenize(text, add_special=True, parse_special=True)
    if len(tokens) <= window:
        return tokens
    if not cut:
        raise Refused.because(400, "the input length exceeds the context length")
    bare = host.tokenize(text, add_special=False, parse_special=True)
    room = window - (len(tokens) - len(bare))
    if room <= 0:
        raise Refused.because(400, "input after truncation exceeds maximum context length")
    before = _index_of(tokens, bare)
    return tokens[:before] + bare[:room] + tokens[before + len(bare) :]


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
