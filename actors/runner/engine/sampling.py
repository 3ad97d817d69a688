"""Choosing tokens with llama.cpp's samplers, as a function of the seed and the position.

The chain has llama.cpp's usual order: penalties, top-k, typical, top-p, min-p, temperature, draw.
The draw is made anew for each token from a hash of seed and position, so that a stream which
another process continues draws the same numbers.
"""

import ctypes
from typing import Any

import llama_cpp as cpp
import numpy as np

from actorllm.actors.runner.engine.logprobs import Logits, token_logprob
from actorllm.actors.runner.engine.matching import Matcher, Matchers
from actorllm.actors.runner.engine.seeds import position_seed
from actorllm.actors.runner.engine.types import Sampling, TokenLogprob, Work
from actorllm.actors.runner.engine.vocab import Vocab

__all__ = ["Candidates", "ChainSampler"]

_COLDEST = 1e-5
"""Below this temperature the likeliest token is taken, before logits overflow."""

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


def _brief(function: Any) -> Any:
    """Bind a C function so that a call keeps the interpreter lock.

    These calls take a microsecond. To let the lock go would hand it, several times for each token,
    to any other thread that is busy, which may keep it for milliseconds.
    """
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return ctypes.PYFUNCTYPE(function.restype, *function.argtypes)(address)


_accept = _brief(cpp.llama_sampler_accept)
_chain_add = _brief(cpp.llama_sampler_chain_add)
_chain_remove = _brief(cpp.llama_sampler_chain_remove)
_free = _brief(cpp.llama_sampler_free)
_init_dist = _brief(cpp.llama_sampler_init_dist)


class Candidates:
    """A `llama_token_data_array` of the whole vocabulary, reused for every token."""

    def __init__(self, n_vocab: int) -> None:
        self._fresh = np.zeros(n_vocab, _CANDIDATE)
        self._fresh["id"] = np.arange(n_vocab)
        self._data = self._fresh.copy()
        self._array = cpp.llama_token_data_array()

    def load(self, logits: Logits) -> None:
        """Take the logits of one row."""
        np.copyto(self._data, self._fresh)
        self._data["logit"] = logits
        self._array.data = ctypes.cast(self._data.ctypes.data, cpp.llama_token_data_p)
        self._array.size = len(self._data)
        self._array.selected = -1
        self._array.sorted = False

    def apply(self, sampler: Any) -> None:
        cpp.llama_sampler_apply(sampler, ctypes.byref(self._array))

    def selected(self) -> int:
        token: int = self._array.data[self._array.selected].id
        return token


class ChainSampler:
    """The samplers of one stream. They know the prompt's end, for the penalties."""

    def __init__(
        self,
        context: Any,
        vocab: Vocab,
        candidates: Candidates,
        matchers: Matchers,
        work: Work,
        window: int,
    ) -> None:
        self._context = context
        self._vocab = vocab
        self._candidates = candidates
        self._sampling = work.sampling
        self._greedy = work.sampling.temperature < _COLDEST
        structure = work.sampling.structure
        self._matcher: Matcher | None = None
        if structure is not None:
            self._matcher = matchers.begin(structure)
            self._matcher.replay(work.resume)
        self._chain = self._make_chain(work.sampling, window)
        self._fixed: int = cpp.llama_sampler_chain_n(self._chain)
        self._drawn = False
        if _penalizes(work.sampling):
            for token in (*work.prompt, *work.resume)[-window:]:
                _accept(self._chain, token)

    def pick(self, row: int, position: int) -> int:
        """Choose a token from an output row of the last pass.

        Raises:
            EngineError: The structure leaves no token.
        """
        if not self._greedy:
            self._renew_draw(position_seed(self._sampling.seed, position))
        if self._matcher is not None:
            return self._pick_within(self._matcher, self._logits(row))
        token: int = cpp.llama_sampler_sample(self._chain, self._context, row)
        return token

    def logprob(self, row: int, token: int) -> TokenLogprob:
        logits = self._logits(row)
        return token_logprob(logits, token, self._sampling.top_logprobs, self._vocab.piece)

    def close(self) -> None:
        if self._chain is not None:
            _free(self._chain)
            self._chain = None

    def _make_chain(self, s: Sampling, window: int) -> Any:
        params = cpp.llama_sampler_chain_default_params()
        params.no_perf = True
        chain = cpp.llama_sampler_chain_init(params)
        links = []
        if _penalizes(s):
            # llama.cpp reserves memory for as many tokens as it is told to look back at.
            last = window if s.repeat_last_n < 0 else min(s.repeat_last_n, window)
            repeat = s.repeat_penalty if s.repeat_penalty > 0 else 1.0
            penalties = (repeat, s.frequency_penalty, s.presence_penalty)
            links.append(cpp.llama_sampler_init_penalties(self._vocab.size, last, *penalties))
        if self._greedy:
            links.append(cpp.llama_sampler_init_greedy())
        else:
            links += _narrowing(s)
            links.append(cpp.llama_sampler_init_temp(s.temperature))
        for link in links:
            _chain_add(chain, link)
        return chain

    def _renew_draw(self, seed: int) -> None:
        if self._drawn:
            _free(_chain_remove(self._chain, self._fixed))
        _chain_add(self._chain, _init_dist(seed))
        self._drawn = True

    def _pick_within(self, matcher: Matcher, logits: Logits) -> int:
        # Most picks keep to the structure: the mask over the vocabulary is for the others.
        token = self._select(logits)
        if not matcher.allows(token):
            token = self._select(np.where(matcher.allowed(), logits, -np.inf))
        matcher.take(token)
        _accept(self._chain, token)
        return token

    def _select(self, logits: Logits) -> int:
        self._candidates.load(logits)
        self._candidates.apply(self._chain)
        return self._candidates.selected()

    def _logits(self, row: int) -> Logits:
        pointer = cpp.llama_get_logits_ith(self._context, row)
        return np.ctypeslib.as_array(pointer, (self._vocab.size,))


def _penalizes(s: Sampling) -> bool:
    repeat = s.repeat_penalty > 0 and s.repeat_penalty != 1
    return s.repeat_last_n != 0 and (repeat or s.frequency_penalty != 0 or s.presence_penalty != 0)


def _narrowing(s: Sampling) -> list[Any]:
    """Make the samplers that leave fewer candidates, as far as they are switched on."""
    links = []
    if s.top_k > 0:
        links.append(cpp.llama_sampler_init_top_k(s.top_k))
    if s.typical_p < 1:
        links.append(cpp.llama_sampler_init_typical(s.typical_p, 1))
    if s.top_p < 1:
        links.append(cpp.llama_sampler_init_top_p(s.top_p, 1))
    if s.min_p > 0:
        links.append(cpp.llama_sampler_init_min_p(s.min_p, 1))
    return links
