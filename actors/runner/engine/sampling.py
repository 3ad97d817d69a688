"""Choosing tokens with llama.cpp's samplers, as a function of the seed and the position.

The chain has llama.cpp's usual order: penalties, top-k, typical, top-p, min-p, temperature, draw.
The draw is made anew for each token from a hash of seed and position, so that a stream which
another process continues draws the same numbers.
"""

import ctypes
from typing import Any

import llama_cpp as cpp
import numpy as np

from actorllm.actors.runner.engine.grammar import MAX_GRAMMAR
from actorllm.actors.runner.engine.logprobs import Logits, token_logprob
from actorllm.actors.runner.engine.seeds import position_seed
from actorllm.actors.runner.engine.types import EngineError, Sampling, TokenLogprob, Work
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
        self._single = np.zeros(1, _CANDIDATE)
        self._array = cpp.llama_token_data_array()

    def load(self, logits: Logits) -> None:
        """Take the logits of one row."""
        np.copyto(self._data, self._fresh)
        self._data["logit"] = logits
        self._point(self._data)

    def apply(self, sampler: Any) -> None:
        cpp.llama_sampler_apply(sampler, ctypes.byref(self._array))

    @property
    def exhausted(self) -> bool:
        """Whether every token was ruled out."""
        return bool(np.isneginf(self._data["logit"][: self._array.size]).all())

    def selected(self) -> int:
        token: int = self._array.data[self._array.selected].id
        return token

    def allowed(self, grammar: Any, token: int) -> bool:
        """Ask a grammar whether a token may come next."""
        self._single[0] = (token, 1.0, 0.0)
        self._point(self._single)
        self.apply(grammar)
        return not np.isneginf(self._single["logit"][0])

    def _point(self, data: "np.ndarray[Any, Any]") -> None:
        self._array.data = ctypes.cast(data.ctypes.data, cpp.llama_token_data_p)
        self._array.size = len(data)
        self._array.selected = -1
        self._array.sorted = False


class ChainSampler:
    """The samplers of one stream. They know the prompt's end, for the penalties."""

    def __init__(
        self, context: Any, vocab: Vocab, candidates: Candidates, work: Work, window: int
    ) -> None:
        self._context = context
        self._vocab = vocab
        self._candidates = candidates
        self._sampling = work.sampling
        self._greedy = work.sampling.temperature < _COLDEST
        self._grammar = self._make_grammar(work.sampling.grammar)
        self._chain = self._make_chain(work.sampling, window)
        self._fixed: int = cpp.llama_sampler_chain_n(self._chain)
        self._drawn = False
        try:
            self._replay(work, window)
        except EngineError:
            self.close()
            raise

    def pick(self, row: int, position: int) -> int:
        """Choose a token from an output row of the last pass.

        Raises:
            EngineError: The grammar rules out every token.
        """
        if not self._greedy:
            self._renew_draw(position_seed(self._sampling.seed, position))
        if self._grammar is not None:
            return self._pick_within_grammar(row)
        token: int = cpp.llama_sampler_sample(self._chain, self._context, row)
        return token

    def logprob(self, row: int, token: int) -> TokenLogprob:
        logits = self._logits(row)
        return token_logprob(logits, token, self._sampling.top_logprobs, self._vocab.piece)

    def close(self) -> None:
        if self._chain is not None:
            _free(self._chain)
            self._chain = None
        if self._grammar is not None:
            _free(self._grammar)
            self._grammar = None

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

    def _make_grammar(self, text: str | None) -> Any:
        if text is None:
            return None
        if len(text) > MAX_GRAMMAR:
            raise EngineError(f"a grammar of {len(text)} characters is too long")
        grammar = cpp.llama_sampler_init_grammar(self._vocab.handle, text.encode(), b"root")
        if not grammar:
            raise EngineError("the grammar is malformed")
        return grammar

    def _replay(self, work: Work, window: int) -> None:
        if _penalizes(work.sampling):
            for token in (*work.prompt, *work.resume)[-window:]:
                _accept(self._chain, token)
        if self._grammar is not None:
            for token in work.resume:
                if not self._candidates.allowed(self._grammar, token):
                    raise EngineError("the tokens to be resumed do not follow the grammar")
                _accept(self._grammar, token)

    def _renew_draw(self, seed: int) -> None:
        if self._drawn:
            _free(_chain_remove(self._chain, self._fixed))
        _chain_add(self._chain, _init_dist(seed))
        self._drawn = True

    def _pick_within_grammar(self, row: int) -> int:
        # The grammar is slow over a whole vocabulary and agrees with most picks: try one first.
        candidates, logits = self._candidates, self._logits(row)
        candidates.load(logits)
        candidates.apply(self._chain)
        token = candidates.selected()
        if not candidates.allowed(self._grammar, token):
            candidates.load(logits)
            candidates.apply(self._grammar)
            if candidates.exhausted:
                raise EngineError("the grammar leaves no token to choose from")
            candidates.apply(self._chain)
            token = candidates.selected()
        _accept(self._grammar, token)
        _accept(self._chain, token)
        return token

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
