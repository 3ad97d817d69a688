"""What the samplers of one context share."""

import ctypes
from typing import Any

import llama_cpp as cpp
import numpy as np

from actorllm.actors.runner.engine.candidates import Candidates, brief
from actorllm.actors.runner.engine.chain import Repetitions
from actorllm.actors.runner.engine.logprobs import Logits, token_logprob
from actorllm.actors.runner.engine.matching import Matchers
from actorllm.actors.runner.engine.types import EngineError, TokenLogprob
from actorllm.actors.runner.engine.vocab import Vocab

__all__ = ["Samplers"]

_logits_of = brief(cpp.llama_get_logits_ith, ctypes.c_void_p)


class Samplers:
    """The logits of a context, and what is made once for all its streams.

    Only the context's thread may use it.
    """

    def __init__(self, context: Any, vocab: Vocab, matchers: Matchers) -> None:
        self.context = context
        self.vocab = vocab
        self.matchers = matchers
        self.candidates = Candidates(vocab.size)
        self.repetitions = Repetitions(vocab)
        self._row = ctypes.c_float * vocab.size

    def logits(self, row: int) -> Logits:
        """Give the logits of an output row; the next pass overwrites them.

        Raises:
            EngineError: The row has none.
        """
        address = _logits_of(self.context, row)
        if address is None:
            raise EngineError("the pass computed no logits")
        return np.ctypeslib.as_array(self._row.from_address(address))

    def logprob(self, row: int, token: int, top: int) -> TokenLogprob:
        """Report a token's probability in an output row, and those of its `top` rivals."""
        return token_logprob(self.logits(row), token, top, self.vocab.piece)

    def free(self) -> None:
        """Free what is kept."""
        self.repetitions.free()
