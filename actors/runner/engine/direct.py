"""Choosing a token in one call of llama.cpp, from the logits to the draw.

A pass leaves the processor's caches full of weights. What runs between two passes is cold then, and
costs by the code and the data it touches: for small vocabularies, llama.cpp's own copy of all
logits costs a fraction of the few dozen numpy calls that `candidates` makes to avoid it.
"""

import math

import llama_cpp as cpp

from actorllm.actors.runner.engine.candidates import brief
from actorllm.actors.runner.engine.chain import Chain, free_draw, make_links, new_draw
from actorllm.actors.runner.engine.samplers import Samplers
from actorllm.actors.runner.engine.types import Sampling, TokenLogprob, Work

__all__ = ["MOST_TOKENS", "DirectSampler", "is_direct"]

MOST_TOKENS = 32_768
"""The largest vocabulary for which it pays."""
_TAME = 1e4
"""Far greater numbers can make all logits infinite, which llama.cpp's draw does not notice."""

_add = brief(cpp.llama_sampler_chain_add)
_remove = brief(cpp.llama_sampler_chain_remove)
_sample = brief(cpp.llama_sampler_sample)


class DirectSampler:
    """The samplers of one stream in one chain, which ends with the draw."""

    def __init__(self, shared: Samplers, work: Work, window: int) -> None:
        s = work.sampling
        self._shared = shared
        self._context = shared.context
        self._seed = s.seed
        self._top = s.top_logprobs
        links = make_links(s, shared.vocab, shared.repetitions, window=window)
        self._chain = Chain(links)
        self._links = self._chain.length
        self._handle = self._chain.handle
        for token in (*work.prompt, *work.resume)[-window:]:
            self._chain.accept(token)

    def pick(self, row: int, position: int) -> int:
        """Draw a token from an output row of the last pass."""
        _add(self._handle, new_draw(self._seed, position))
        token: int = _sample(self._handle, self._context, row)
        free_draw(_remove(self._handle, self._links))
        return token

    def force(self, token: int) -> None:
        """Note a token that was not drawn."""
        self._chain.accept(token)

    def logprob(self, row: int, token: int) -> TokenLogprob:
        """Report a chosen token's probability and its rivals'."""
        return self._shared.logprob(row, token, self._top)

    def close(self) -> None:
        """Free the chain."""
        self._chain.free()


def is_direct(s: Sampling, n_vocab: int) -> bool:
    """Whether a chain can draw by itself: with usual options, and with a token left in any case."""
    unusual = (s.mirostat, s.xtc_probability, s.dry_multiplier, s.dynatemp_range, s.top_n_sigma)
    biases = (bias for _, bias in s.logit_bias if bias != -math.inf)  # which forbids a token
    changes = (s.frequency_penalty, s.presence_penalty, *biases)
    return (
        len(s.logit_bias) < n_vocab <= MOST_TOKENS
        and s.structure is None
        and all(number <= 0 for number in unusual)
        and all(-_TAME <= number <= _TAME for number in changes)
        and 1 / _TAME <= s.repeat_penalty <= _TAME
        and s.temperature <= _TAME
    )
