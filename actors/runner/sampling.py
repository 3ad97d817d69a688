"""The options of a request to the engine's sampling settings: what is refused, and what is told."""

import math
from typing import Literal, cast

from actorllm.actors.runner.engine.logprobs import MAX_TOP
from actorllm.actors.runner.engine.types import Sampling, Structure
from actorllm.actors.runner.messages import Generate
from actorllm.protocol.errors import Refused
from actorllm.protocol.options import LogitBias, Options

__all__ = ["sampling_notices", "sampling_of"]

_BANNED = -100.0
"""A bias from which on a token is never chosen, as clients of the OpenAI API expect."""
_GREATEST = 1e20
"""Greater penalties and biases do no more, but can make logits infinite, which no choice is made from."""
_MOST_BREAKERS = 16
_LONGEST_BREAKER = 40
"""Bytes that llama.cpp takes of one."""


def sampling_of(m: Generate, n_vocab: int, structure: Structure | None) -> Sampling:
    """Make the engine's sampling settings from the merged options.

    Raises:
        Refused: 400, an option that makes no sense for any model, or not for this one.
    """
    o = m.options
    return Sampling(
        seed=o.seed,
        temperature=o.temperature,
        top_k=o.top_k,
        top_p=o.top_p,
        min_p=o.min_p,
        typical_p=o.typical_p,
        repeat_last_n=o.repeat_last_n,
        repeat_penalty=_factor(o.repeat_penalty),
        presence_penalty=_finite(o.presence_penalty),
        frequency_penalty=_finite(o.frequency_penalty),
        top_n_sigma=o.top_n_sigma,
        xtc_probability=o.xtc_probability,
        xtc_threshold=o.xtc_threshold,
        dynatemp_range=o.dynatemp_range,
        dynatemp_exponent=o.dynatemp_exponent,
        dry_multiplier=o.dry_multiplier,
        dry_base=o.dry_base,
        dry_allowed_length=o.dry_allowed_length,
        dry_penalty_last_n=o.dry_penalty_last_n,
        dry_sequence_breakers=_breakers(o.dry_sequence_breakers),
        mirostat=_mirostat(o.mirostat),
        mirostat_tau=o.mirostat_tau,
        mirostat_eta=o.mirostat_eta,
        logit_bias=_biases(o.logit_bias, n_vocab),
        logprobs=m.request.logprobs or o.n_probs > 0,
        top_logprobs=max(m.request.top_logprobs, min(o.n_probs, MAX_TOP)),
        structure=structure,
    )


def sampling_notices(options: Options, *, resumed: bool, deterministic: bool) -> tuple[str, ...]:
    """Say what of the options is cut or cannot be kept to.

    Args:
        options: Of the request.
        resumed: Another runner has begun the answer.
        deterministic: Sameness of the bytes was asked for.
    """
    notices = []
    if options.n_probs > MAX_TOP:
        notices.append(f"n_probs {options.n_probs} was cut to {MAX_TOP}")
    if (options.draft_num_predict or 0) > 0:
        notices.append("draft_num_predict had no effect: there is no speculative decoding")
    if options.mirostat and options.temperature > 0:
        if resumed:
            notices.append("mirostat began anew when another runner took over")
        elif deterministic:
            notices.append("with mirostat, the text after a runner's death may be another one")
    return tuple(notices)


def _finite(number: float) -> float:
    return max(-_GREATEST, min(number, _GREATEST))


def _factor(number: float) -> float:
    """Bound a factor, which is one way or the other around 1; 0 and less: off."""
    return max(1 / _GREATEST, min(number, _GREATEST)) if number > 0 else 0.0


def _mirostat(version: int) -> Literal[0, 1, 2]:
    if version not in (0, 1, 2):
        raise Refused.because(400, "mirostat must be 0, 1 or 2")
    return cast("Literal[0, 1, 2]", version)


def _breakers(texts: tuple[str, ...]) -> tuple[str, ...]:
    long = any(len(text.encode("utf-8", "replace")) > _LONGEST_BREAKER for text in texts)
    if long or len(texts) > _MOST_BREAKERS:
        raise Refused.because(
            400,
            f"dry_sequence_breakers may be {_MOST_BREAKERS} texts of {_LONGEST_BREAKER} bytes each",
        )
    if any("\0" in text for text in texts):
        raise Refused.because(400, "dry_sequence_breakers may not contain null characters")
    return tuple(text for text in texts if text)


def _biases(biases: LogitBias, n_vocab: int) -> LogitBias:
    beyond = next((token for token, _ in biases if token >= n_vocab), None)
    if beyond is not None:
        raise Refused.because(
            400, f"logit_bias has token {beyond}, but the model's vocabulary ends at {n_vocab - 1}"
        )
    return tuple((token, _finite(bias) if bias > _BANNED else -math.inf) for token, bias in biases)
