"""Which rows go into the next pass: pure decisions, shared by the real and the fake engine.

A pass is one `llama_decode`. Each sequence has a KV stream of its own, so llama.cpp computes a
batch in one go only if its sequences lie side by side and bring equally many rows. A pass is
therefore either one row of each generating slot or one chunk of one prompt. They take turns, so
that a long prompt never stalls running streams for longer than one chunk.

Gaps between generating slots are closed by filler rows: they are computed behind the last cell of
the slot in the gap, nobody reads them, and they are forgotten after the pass. One more row costs
far less than reading all weights a second time.

Determinism on CPU: with flash attention on, passes of 2 to 63 rows compute the same bits for a row
whatever is beside it (64 rows or more take the tiled attention, a single one is split over the
threads). Such a pass is called orderly. It also needs a sequence's cells in the order of its
positions, which a unified KV cache loses as soon as freed cells are used again.
"""

from collections.abc import Sequence
from typing import Literal

import attrs

from actorllm.actors.runner.engine.slots import Slot

__all__ = [
    "ORDERLY_ROWS",
    "ChunkSizer",
    "Pass",
    "Run",
    "decode_pass",
    "prefill_pass",
]

ORDERLY_ROWS = 63
"""Most rows of an orderly pass."""

_FILLER_TOKEN = 0


@attrs.frozen
class Run:
    """Successive tokens of one sequence."""

    slot: int
    position: int
    """Of the first token."""
    tokens: tuple[int, ...]
    output: bool = False
    """Compute the logits of the last token."""
    filler: bool = False
    """Forget the tokens after the pass."""


@attrs.frozen
class Pass:
    """The rows of one `llama_decode`, ordered by slot."""

    kind: Literal["prefill", "decode"]
    runs: tuple[Run, ...]
    orderly: bool

    @property
    def rows(self) -> int:
        return sum(len(run.tokens) for run in self.runs)


class ChunkSizer:
    """How many tokens of a prompt fit into one pass, from the speed that was measured."""

    SHARED_SECONDS = 0.2
    """Longest chunk while others generate."""
    ALONE_SECONDS = 1.0
    """Longest chunk while nobody waits, so that a cancelled prompt soon makes room."""
    SMALLEST = 16
    FIRST = 64
    """Tokens of the first chunk, before anything was measured."""

    def __init__(self, num_batch: int) -> None:
        self._num_batch = num_batch
        self.rate = 0.0
        """Tokens per second, smoothed."""

    def limit(self, *, alone: bool) -> int:
        """Give the most tokens of the next chunk."""
        if self.rate <= 0:
            return min(self._num_batch, self.FIRST)
        seconds = self.ALONE_SECONDS if alone else self.SHARED_SECONDS
        return max(min(self._num_batch, int(self.rate * seconds)), self.SMALLEST)

    def measured(self, tokens: int, seconds: float) -> None:
        """Learn from a chunk. Tiny ones say little about speed and are left out."""
        if tokens < self.SMALLEST or seconds <= 0:
            return
        rate = tokens / seconds
        self.rate = rate if self.rate <= 0 else 0.7 * self.rate + 0.3 * rate


def decode_pass(
    due: dict[int, int], slots: Sequence[Slot], *, orderly: bool, can_cut: bool
) -> Pass:
    """Plan one row for each generating slot.

    Args:
        due: The token to be evaluated next, by the slot's index; not empty.
        slots: All slots.
        orderly: Whether the pass must be orderly.
        can_cut: Whether filler rows can be forgotten again.
    """
    first, last = min(due), max(due)
    runs = []
    for slot in slots[first : last + 1]:
        position = len(slot.tokens)
        if slot.index in due:
            runs.append(Run(slot.index, position, (due[slot.index],), output=True))
        elif can_cut:
            runs.append(Run(slot.index, position, (_FILLER_TOKEN,), filler=True))
    if orderly and len(runs) == 1 and can_cut:
        runs.append(_filler_behind(runs[0]))
    return Pass("decode", tuple(runs), orderly=can_cut and 2 <= len(runs) <= ORDERLY_ROWS)


def prefill_pass(
    slot: Slot,
    tokens: Sequence[int],
    start: int,
    *,
    room: int,
    limit: int,
    orderly: bool,
    can_cut: bool,
) -> Pass:
    """Plan the next chunk of a prompt.

    Args:
        slot: Where it goes.
        tokens: The whole prompt.
        start: Tokens of it that are evaluated or were forgotten; fewer than all.
        room: Cells that are left, at least 1.
        limit: Most tokens of a chunk.
        orderly: Whether the pass must be orderly.
        can_cut: Whether filler rows can be forgotten again.
    """
    left = len(tokens) - start
    count = min(left, room, limit, ORDERLY_ROWS if orderly else limit)
    if orderly and left - count == 1 and count > 2:
        count -= 1  # a last chunk of one row would need a filler
    chunk = tuple(tokens[start : start + count])
    run = Run(slot.index, len(slot.tokens), chunk, output=count == left)
    runs: tuple[Run, ...] = (run,)
    if orderly and count == 1 and can_cut:
        runs = (run, _filler_behind(run))
    rows = sum(len(run.tokens) for run in runs)
    return Pass("prefill", runs, orderly=can_cut and 2 <= rows <= ORDERLY_ROWS)


def _filler_behind(run: Run) -> Run:
    position = run.position + len(run.tokens)
    return Run(run.slot, position, (_FILLER_TOKEN,), filler=True)
