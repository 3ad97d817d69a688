"""The tokens that a choice is made from, in the array that llama.cpp's samplers work on.

With a vocabulary of 150,000 tokens, it is copying and sorting them all that costs time. Most chains
narrow the choice to a few dozen of the likeliest tokens first, and those are found much faster.
"""

import ctypes
from typing import Any

import llama_cpp as cpp
import numpy as np

from actorllm.actors.runner.engine.logprobs import LOWEST, Logits, floor_of
from actorllm.actors.runner.engine.types import EngineError

__all__ = ["Candidates", "Marks", "Tokens", "brief"]

Tokens = np.ndarray[Any, np.dtype[np.int32]]
Marks = np.ndarray[Any, np.dtype[np.bool_]]

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
_MANY = 4096
"""Candidates whose sampling takes long enough to let other threads run meanwhile."""


def brief(function: Any, restype: Any = None) -> Any:
    """Bind a C function so that a call keeps the interpreter lock.

    These calls take a microsecond. To let the lock go would hand it, several times for each token,
    to any other thread that is busy, which may keep it for milliseconds.
    """
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return ctypes.PYFUNCTYPE(restype or function.restype, *function.argtypes)(address)


_apply = brief(cpp.llama_sampler_apply)


class Candidates:
    """A `llama_token_data_array`, reused for every token of every stream."""

    def __init__(self, n_vocab: int) -> None:
        self._all = np.arange(n_vocab, dtype=np.int32)
        self._data = np.zeros(n_vocab, _CANDIDATE)
        self._pointer = ctypes.cast(self._data.ctypes.data, cpp.llama_token_data_p)
        self._array = cpp.llama_token_data_array()
        self._reference = ctypes.byref(self._array)
        self._marks = np.empty(n_vocab, np.bool_)

    def load(self, logits: Logits, most: int = 0, also: Tokens | None = None) -> None:
        """Take tokens of one row, in the order of their numbers. Those at -inf never count.

        Args:
            logits: Of the row.
            most: Tokens that are wanted, the likeliest ones; a few more may come. 0: all.
            also: Tokens that are wanted whatever their logits are.
        """
        if most > 0 and also is not None:
            most += len(also)  # so many of the likeliest may be taken down
        tokens = self._reaching(logits, floor_of(logits, most))
        if also is not None and len(tokens) < len(self._all):
            tokens = np.union1d(tokens, also[logits[also] >= LOWEST])
        count = len(tokens)
        data = self._data[:count]
        data["id"] = tokens
        data["logit"] = logits if count == len(logits) else logits[tokens]
        self._array.data = self._pointer
        self._array.size = count
        self._array.selected = -1
        self._array.sorted = False

    def apply(self, sampler: Any) -> None:
        """Let a sampler narrow, change or select."""
        call = cpp.llama_sampler_apply if self._array.size > _MANY else _apply
        call(sampler, self._reference)

    def selected(self) -> int:
        """Give the token that a sampler selected.

        Raises:
            EngineError: There was none to select from.
        """
        return int(self._left()["id"][self._array.selected])

    def best(self) -> int:
        """Give the likeliest token, of equal ones the first.

        Raises:
            EngineError: There is none.
        """
        left = self._left()
        at = left["logit"].argmax()
        if left["logit"][at] < LOWEST:
            raise _none_left()
        return int(left["id"][at])

    def draw(self, draw: Any) -> int:
        """Give a token by chance, the likelier ones more often.

        Args:
            draw: A sampler that does so.

        Raises:
            EngineError: There are no probabilities: options can make all logits infinite.
        """
        most = self._left()["logit"].max()
        if most == np.inf:  # divided by next to nothing, where the temperature is dynamic
            return self.best()
        if not np.isfinite(most):
            raise _none_left()
        self.apply(draw)
        return self.selected()

    def _left(self) -> "np.ndarray[Any, Any]":
        count = self._array.size
        if not count:
            raise _none_left()
        # Some samplers drop the first ones by moving the begin.
        begin = ctypes.addressof(self._array.data.contents) - self._data.ctypes.data
        first = begin // _CANDIDATE.itemsize
        return self._data[first : first + count]

    def _reaching(self, logits: Logits, floor: float) -> Tokens:
        marks = np.greater_equal(logits, np.float32(floor), out=self._marks)
        return self._all if marks.all() else np.flatnonzero(marks)  # type: ignore[return-value]


def _none_left() -> EngineError:
    return EngineError("the sampling options leave no token to choose from")
