"""llama.cpp's samplers in the order in which llama.cpp applies them, as far as they are switched on.

    biases, penalties, DRY | top-n-sigma, top-k, typical, top-p, min-p | XTC | temperature

What stands before the first bar changes the logits of few tokens, which `Touched` knows; the rest
needs no more of the others than the likeliest ones. With Mirostat, it and the temperature replace
what stands between the outer bars.
"""

import ctypes
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import attrs
import llama_cpp as cpp
import numpy as np

from actorllm.actors.runner.engine.candidates import Tokens, brief
from actorllm.actors.runner.engine.seeds import position_seed
from actorllm.actors.runner.engine.types import Sampling
from actorllm.actors.runner.engine.vocab import Vocab

__all__ = [
    "Chain",
    "Chains",
    "Repetitions",
    "Touched",
    "free_draw",
    "looks_back",
    "make_chains",
    "make_links",
    "new_draw",
]

_MIROSTAT_TOKENS = 100
"""The likeliest tokens from which Mirostat 1 estimates how steep the distribution is."""
_LEAST_POSSIBLE = 1e-37
"""Relative probability of tokens that are as good as impossible."""
_KEPT_REPETITIONS = 8
_MOST = 2**31 - 1
"""More would wrap around on its way to C."""

_accept = brief(cpp.llama_sampler_accept)
_seeded = brief(cpp.llama_sampler_init_dist)
_free = brief(cpp.llama_sampler_free)


class Chain:
    """Samplers that are applied one after the other, and freed together."""

    def __init__(self, links: Iterable[Any] = ()) -> None:
        params = cpp.llama_sampler_chain_default_params()
        params.no_perf = True
        self.handle = cpp.llama_sampler_chain_init(params)
        for link in links:
            cpp.llama_sampler_chain_add(self.handle, link)
        self.length: int = cpp.llama_sampler_chain_n(self.handle)

    def __bool__(self) -> bool:
        return self.length > 0

    def accept(self, token: int) -> None:
        """Tell the samplers which token was chosen."""
        _accept(self.handle, token)

    def free(self) -> None:
        """Free the samplers; they must not be used any more."""
        if self.handle is not None:
            cpp.llama_sampler_free(self.handle)
            self.handle = None


class Repetitions:
    """DRY samplers by their settings, to be copied.

    To make one takes milliseconds for each breaker, since the whole vocabulary is searched for it.
    """

    def __init__(self, vocab: Vocab) -> None:
        self._vocab = vocab
        self._made: OrderedDict[tuple[Any, ...], Any] = OrderedDict()

    def link(self, s: Sampling, last: int) -> Any:
        """Give a sampler that has seen no tokens yet."""
        allowed = max(0, min(s.dry_allowed_length, last))
        key = (s.dry_multiplier, s.dry_base, allowed, last, s.dry_sequence_breakers)
        made = self._made.get(key)
        if made is None:
            texts = [text.encode("utf-8", "replace") for text in s.dry_sequence_breakers]
            breakers = (ctypes.c_char_p * len(texts))(*texts)
            made = cpp.llama_sampler_init_dry(self._vocab.handle, *key[:4], breakers, len(texts))
            self._made[key] = made
        self._made.move_to_end(key)
        while len(self._made) > _KEPT_REPETITIONS:
            cpp.llama_sampler_free(self._made.popitem(last=False)[1])
        return cpp.llama_sampler_clone(made)

    def free(self) -> None:
        """Free all that are kept."""
        while self._made:
            cpp.llama_sampler_free(self._made.popitem()[1])


class Touched:
    """The tokens whose logits are changed: those of the biases, and those that were seen lately."""

    def __init__(self, biased: Iterable[int], last: int) -> None:
        self._biased = np.array(list(biased), np.int32)
        self._seen = np.empty(last, np.int32)
        self._count = 0

    def see(self, token: int) -> None:
        """Note a token of the sequence."""
        if len(self._seen):
            self._seen[self._count % len(self._seen)] = token
            self._count += 1

    def tokens(self) -> Tokens:
        """Give them, each once."""
        return np.unique(np.concatenate((self._biased, self._seen[: self._count])))


def new_draw(seed: int, position: int) -> Any:
    """Make a sampler that draws one token by the probabilities; to be freed by `free_draw`."""
    return _seeded(position_seed(seed, position))


def free_draw(draw: Any) -> None:
    """Free what `new_draw` made."""
    _free(draw)


@attrs.frozen(eq=False)
class Chains:
    """The samplers of one stream, between the bars. A chain may be empty."""

    changing: Chain
    narrowing: Chain
    excluding: Chain
    warming: Chain
    """With Mirostat it selects, too."""

    def free(self) -> None:
        """Free all of them."""
        for part in (self.changing, self.narrowing, self.excluding, self.warming):
            part.free()


def make_chains(
    s: Sampling, vocab: Vocab, repetitions: Repetitions, *, window: int, seed: int
) -> Chains:
    """Make the samplers of a stream.

    Args:
        s: What is switched on.
        vocab: Of the model.
        repetitions: Of this vocabulary.
        window: Tokens that can be looked back at.
        seed: For Mirostat, which draws by itself.
    """
    changing = Chain(_changing(s, vocab, repetitions, window))
    if s.mirostat:
        return Chains(changing, Chain(), Chain(), Chain((*_warming(s), _mirostat(s, vocab, seed))))
    return Chains(changing, Chain(_narrowing(s)), Chain(_excluding(s)), Chain(_warming(s)))


def make_links(s: Sampling, vocab: Vocab, repetitions: Repetitions, *, window: int) -> list[Any]:
    """Make the samplers of a stream up to the draw, without those that are left to chance.

    Args:
        s: What is switched on; not Mirostat, and not XTC.
        vocab: Of the model.
        repetitions: Of this vocabulary.
        window: Tokens that can be looked back at.
    """
    return [*_changing(s, vocab, repetitions, window), *_narrowing(s), *_warming(s)]


def looks_back(s: Sampling, window: int) -> int:
    """How many tokens back the penalties look."""
    penalties = _back(s.repeat_last_n, window) if _penalizes(s) else 0
    return max(penalties, _back(s.dry_penalty_last_n, window) if _repeats(s) else 0)


def _penalizes(s: Sampling) -> bool:
    """Whether a penalty on single tokens is switched on."""
    repeat = s.repeat_penalty > 0 and s.repeat_penalty != 1
    return s.repeat_last_n != 0 and (repeat or s.frequency_penalty != 0 or s.presence_penalty != 0)


def _repeats(s: Sampling) -> bool:
    """Whether DRY is switched on."""
    return s.dry_multiplier > 0 and s.dry_base >= 1 and s.dry_penalty_last_n != 0


def _back(last: int, window: int) -> int:
    """Give the tokens to look back at. llama.cpp reserves memory for as many as it is told."""
    return window if last < 0 else min(last, window)


def _changing(s: Sampling, vocab: Vocab, repetitions: Repetitions, window: int) -> list[Any]:
    """Make the samplers that change logits of some tokens."""
    links = []
    if s.logit_bias:
        biases = (cpp.llama_logit_bias * len(s.logit_bias))(*s.logit_bias)
        links.append(cpp.llama_sampler_init_logit_bias(vocab.size, len(biases), biases))
    if _penalizes(s):
        repeat = s.repeat_penalty if s.repeat_penalty > 0 else 1.0
        penalties = (repeat, s.frequency_penalty, s.presence_penalty)
        last = _back(s.repeat_last_n, window)
        links.append(cpp.llama_sampler_init_penalties(vocab.size, last, *penalties))
    if _repeats(s):
        links.append(repetitions.link(s, _back(s.dry_penalty_last_n, window)))
    return links


def _narrowing(s: Sampling) -> list[Any]:
    """Make the samplers that leave fewer candidates."""
    links = []
    if s.top_n_sigma > 0:
        links.append(cpp.llama_sampler_init_top_n_sigma(s.top_n_sigma))
    if s.top_k > 0:
        links.append(cpp.llama_sampler_init_top_k(min(s.top_k, _MOST)))
    if s.top_n_sigma > 0 or s.typical_p < 1:
        # What is ruled out, or as good as, is still there, and typical takes it for a number.
        links.append(cpp.llama_sampler_init_min_p(_LEAST_POSSIBLE, 1))
    if s.typical_p < 1:
        links.append(cpp.llama_sampler_init_typical(s.typical_p, 1))
    if s.top_p < 1:
        links.append(cpp.llama_sampler_init_top_p(s.top_p, 1))
    if s.min_p > 0:
        links.append(cpp.llama_sampler_init_min_p(s.min_p, 1))
    return links


def _excluding(s: Sampling) -> list[Any]:
    """Make the sampler that leaves out the likeliest candidates; whether it does is not its choice."""
    if s.xtc_probability <= 0 or s.xtc_threshold > 0.5:
        return []
    return [cpp.llama_sampler_init_xtc(1.0, s.xtc_threshold, 1, 0)]


def _warming(s: Sampling) -> list[Any]:
    """Make the sampler of the temperature."""
    if s.dynatemp_range > 0:
        dynamic = (s.temperature, s.dynatemp_range, s.dynatemp_exponent)
        return [cpp.llama_sampler_init_temp_ext(*dynamic)]
    return [cpp.llama_sampler_init_temp(s.temperature)]


def _mirostat(s: Sampling, vocab: Vocab, seed: int) -> Any:
    aim = (s.mirostat_tau, s.mirostat_eta)
    if s.mirostat == 1:
        return cpp.llama_sampler_init_mirostat(vocab.size, seed, *aim, _MIROSTAT_TOKENS)
    return cpp.llama_sampler_init_mirostat_v2(seed, *aim)
