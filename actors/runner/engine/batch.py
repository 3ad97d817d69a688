"""The rows of a `llama_decode`, in memory that is filled anew for each."""

import ctypes
from collections.abc import Sequence

import llama_cpp as cpp
import numpy as np

from actorllm.actors.runner.engine.batching import Run

__all__ = ["Batch"]


class Batch:
    """A `llama_batch` over numpy arrays, which are filled by slices instead of single items."""

    def __init__(self, capacity: int) -> None:
        self.token = np.zeros(capacity, np.int32)
        self.pos = np.zeros(capacity, np.int32)
        self.slot = np.zeros(capacity, np.int32)
        self.output = np.zeros(capacity, np.int8)
        self._ones = np.ones(capacity, np.int32)
        each = self.slot.ctypes.data + self.slot.itemsize * np.arange(capacity)
        self._slots = each.astype(np.uintp)
        # Single items of numpy's arrays take several times as long.
        self._token_items, self._pos_items = self.token.data, self.pos.data
        fields = dict(cpp.llama_batch._fields_)
        self.struct = cpp.llama_batch()
        for name, array in (
            ("token", self.token),
            ("pos", self.pos),
            ("n_seq_id", self._ones),
            ("seq_id", self._slots),
            ("logits", self.output),
        ):
            setattr(self.struct, name, ctypes.cast(array.ctypes.data, fields[name]))

    def fill(self, runs: Sequence[Run], *, pairs: bool = False) -> None:
        """Replace the rows.

        Args:
            runs: What they are.
            pairs: Compute the logits of a second row where those of one are wanted.
        """
        tokens: list[int] = []
        positions: list[int] = []
        slots: list[int] = []
        outputs: list[bool] = []
        for run in runs:
            count = len(run.tokens)
            tokens += run.tokens
            positions += range(run.position, run.position + count)
            slots += [run.slot] * count
            outputs += [False] * (count - 1)
            outputs.append(run.output)
        rows = len(tokens)
        if pairs and rows > 1 and sum(outputs) == 1:
            outputs[outputs.index(True) - 1] = True
        self.token[:rows] = tokens
        self.pos[:rows] = positions
        self.slot[:rows] = slots
        self.output[:rows] = outputs
        self.struct.n_tokens = rows

    def advance(self, rows: Sequence[int], tokens: Sequence[int]) -> None:
        """Move some rows one position further, with other tokens."""
        for row, token in zip(rows, tokens, strict=True):
            self._token_items[row] = token
            self._pos_items[row] += 1
