"""Choosing tokens with llama.cpp's samplers, as a function of the seed and the position.

Chances (the draw, and whether XTC acts) are hashes of seed and position, and the penalties know
nothing but the tokens: so a stream that another process continues chooses as it would have. The
exception is Mirostat. What it has learned depends on the probabilities of all tokens so far, which
the one who continues does not know: there it begins anew.
"""

import numpy as np

from actorllm.actors.runner.engine.backend import Sampler
from actorllm.actors.runner.engine.chain import (
    Touched,
    free_draw,
    looks_back,
    make_chains,
    new_draw,
)
from actorllm.actors.runner.engine.direct import DirectSampler, is_direct
from actorllm.actors.runner.engine.logprobs import Logits
from actorllm.actors.runner.engine.matching import Matcher, Matchers
from actorllm.actors.runner.engine.samplers import Samplers
from actorllm.actors.runner.engine.seeds import chance, position_seed
from actorllm.actors.runner.engine.types import Sampling, TokenLogprob, Work

__all__ = ["ChainSampler", "make_sampler"]

_COLDEST = 1e-5
"""Below this temperature the likeliest token is taken, before logits overflow."""
_XTC = 0x2545F4914F6CDD1D
"""Added to the seed for XTC's chance, which must not be that of the draw."""
_AGAIN = 0x9FB21C651E98DF25
"""Added to the seed for a second draw, since the first number has told something: what it drew was
forbidden."""


def make_sampler(shared: Samplers, work: Work, window: int) -> Sampler:
    """Make the sampler of a work.

    Args:
        shared: Of the context.
        work: What is asked for.
        window: Tokens that can be looked back at.

    Raises:
        EngineError: The structure is malformed, or the resumed tokens do not keep to it.
    """
    s = work.sampling
    if s.temperature < _COLDEST or not is_direct(s, shared.vocab.size):
        return ChainSampler(shared, work, window)
    return DirectSampler(shared, work, window)


class ChainSampler:
    """The samplers of one stream, one chain after the other.

    They know the prompt's end, for the penalties.
    """

    def __init__(self, shared: Samplers, work: Work, window: int) -> None:
        s = work.sampling
        self._shared = shared
        self._candidates = shared.candidates
        self._sampling = s
        self._greedy = s.temperature < _COLDEST
        self._most = _most(s, greedy=self._greedy)
        self._matcher = _matcher(shared.matchers, work)
        tokens = (*work.prompt, *work.resume)
        first = position_seed(s.seed, len(tokens))
        self._chains = make_chains(s, shared.vocab, shared.repetitions, window=window, seed=first)
        self._touched: Touched | None = None
        if self._chains.changing:
            self._touched = Touched((token for token, _ in s.logit_bias), looks_back(s, window))
            for token in tokens[-window:]:
                self._take(token)

    def pick(self, row: int, position: int) -> int:
        """Choose a token from an output row of the last pass.

        Raises:
            EngineError: The structure or the options leave no token.
        """
        logits = self._shared.logits(row)
        matcher = self._matcher
        if matcher is None:
            token = self._choose(logits, position)
        elif self._sampling.mirostat:  # it learns from each choice, so there must be only one
            token = self._choose(_masked(matcher, logits), position)
        else:
            # Most picks keep to the structure: the mask over the vocabulary is for the others.
            token = self._choose(logits, position)
            if not matcher.allows(token):
                token = self._choose(_masked(matcher, logits), position, again=True)
        self.force(token)
        return token

    def force(self, token: int) -> None:
        """Note the next token, which was chosen or had to come."""
        if self._matcher is not None:
            self._matcher.take(token)
        self._take(token)

    def logprob(self, row: int, token: int) -> TokenLogprob:
        """Report a chosen token's probability and its rivals'."""
        top = self._sampling.top_logprobs
        return self._shared.logprob(row, token, top)

    def close(self) -> None:
        """Free the samplers."""
        self._chains.free()

    def _choose(self, logits: Logits, position: int, *, again: bool = False) -> int:
        touched = self._touched
        if self._greedy and touched is None:
            return int(logits.argmax())
        candidates, chains, s = self._candidates, self._chains, self._sampling
        if touched is None:
            candidates.load(logits, self._most)
        else:
            candidates.load(logits, self._most, touched.tokens())
            candidates.apply(chains.changing.handle)
        if self._greedy:
            return candidates.best()
        if chains.narrowing:
            candidates.apply(chains.narrowing.handle)
        if chains.excluding and chance(s.seed + _XTC, position) < s.xtc_probability:
            candidates.apply(chains.excluding.handle)
        candidates.apply(chains.warming.handle)
        if s.mirostat:
            return candidates.selected()
        draw = new_draw(s.seed + _AGAIN if again else s.seed, position)
        try:
            return candidates.draw(draw)
        finally:
            free_draw(draw)

    def _take(self, token: int) -> None:
        if self._touched is not None:
            self._touched.see(token)
            self._chains.changing.accept(token)


def _matcher(matchers: Matchers, work: Work) -> Matcher | None:
    structure = work.sampling.structure
    if structure is None:
        return None
    matcher = matchers.begin(structure)
    matcher.replay(work.resume)
    return matcher


def _masked(matcher: Matcher, logits: Logits) -> Logits:
    return np.where(matcher.allowed(), logits, np.float32(-np.inf))


def _most(s: Sampling, *, greedy: bool) -> int:
    """How many of the likeliest tokens matter; 0: all."""
    if greedy:
        return 1
    return 0 if s.mirostat or s.top_n_sigma > 0 else max(s.top_k, 0)
