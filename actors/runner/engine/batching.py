"""Which rows go into the next pass: pure decisions, shared by the real and the fake engine.

A pass is one `llama_decode`. There are two layouts of the KV cache, and each has its passes.

Shared: all sequences lie in one pool of cells, and any rows can be computed together. A pass is one
row of each generating slot and, beside them, parts of prompts, as many rows as running streams can
wait for.

Split: each sequence has a stream of cells of its own, and llama.cpp computes a batch in one go only
if its sequences lie side by side and bring equally many rows. A pass is either one row of each
generating slot or one chunk of one prompt, and they take turns. Gaps between generating slots are
closed by filler rows: they are computed behind the last cell of the slot in the gap, nobody reads
them, and they are forgotten after the pass. One more row costs far less than reading all weights
a second time.

Determinism on CPU: with flash attention on, passes of 2 to 63 rows compute the same bits for a row
whatever is beside it (64 rows or more take the tiled attention, a single one is split over the
threads). Such a pass is called orderly. It also needs a sequence's cells in the order of its
positions, which a shared pool loses as soon as freed cells are used again: only the split layout
has orderly passes.

Weights of some types are multiplied in tiles from 8 rows on, which gives other bits. Then prompts
are always computed in tiles, in passes of 8 to 63 rows, and answers never, in passes of 2 to 7,
those of an earlier process included. What an answer has left in the cells is not what a prompt of
the same tokens would have.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import attrs

from actorllm.actors.runner.engine.slots import Slot

__all__ = [
    "ORDERLY_ROWS",
    "ChunkSizer",
    "Order",
    "Pass",
    "Rows",
    "Run",
    "decode_pass",
    "mixed_pass",
    "prefill_pass",
    "share_rows",
    "side_by_side",
]

ORDERLY_ROWS = 63
"""Most rows of an orderly pass."""

_FILLER_TOKEN = 0


@attrs.frozen
class Rows:
    """How many rows a pass may have, both bounds included."""

    least: int
    most: int

    def allow(self, count: int) -> bool:
        return self.least <= count <= self.most


@attrs.frozen
class Order:
    """What makes a pass orderly."""

    tiled: int = 0
    """Rows from which on weights are multiplied in tiles; 0: they never are."""

    @property
    def prompts(self) -> Rows:
        """Of a pass that leaves cells as any prompt with these tokens would."""
        return Rows(max(2, self.tiled), ORDERLY_ROWS)

    @property
    def answers(self) -> Rows:
        """Of a pass over tokens that were generated."""
        return Rows(2, self.tiled - 1 if self.tiled else ORDERLY_ROWS)


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
    """Whether its cells have the bits of an orderly pass over a prompt."""

    @property
    def rows(self) -> int:
        return sum(len(run.tokens) for run in self.runs)


class ChunkSizer:
    """How many tokens of prompts fit into one pass, from the speed that was measured.

    From 64 rows on, attention is computed in tiles, which is up to twice as fast for each row. So
    the speeds of small and of large passes are kept apart, and large ones are whole tiles.
    """

    SHARED_SECONDS = 0.18
    """Longest pass while others generate: with what is around it, they wait 0.2 s at most."""
    ALONE_SECONDS = 1.0
    """Longest pass while nobody waits, so that a cancelled prompt soon makes room."""
    STEPS = 2
    """A pass may take as long as so many steps of the running streams, if that is longer."""
    SMALLEST = 16
    TILE = 64
    """Rows from which on attention is tiled, and a step of useful sizes; also the first chunk."""

    def __init__(self, num_batch: int) -> None:
        self._num_batch = num_batch
        self._small = self._large = 0.0

    @property
    def rate(self) -> float:
        """Tokens per second that prompts are evaluated with; 0 before the first."""
        return max(self._small, self._large)

    def limit(self, *, alone: bool, step_seconds: float = 0.0) -> int:
        """Give the most tokens of prompts in the next pass.

        Args:
            alone: Whether no stream waits for the pass.
            step_seconds: What a pass of the running streams takes by itself.
        """
        if self.rate <= 0:
            return min(self._num_batch, self.TILE)
        seconds = self.ALONE_SECONDS
        if not alone:
            seconds = max(self.SHARED_SECONDS - step_seconds, (self.STEPS - 1) * step_seconds)
        rows = int((self._large or self._small) * seconds)
        if rows < self.TILE <= self._num_batch:
            rows = min(int((self._small or self._large / 2) * seconds), self.TILE - 1)
        elif rows >= self.TILE:
            rows -= rows % self.TILE
        return min(self._num_batch, max(rows, self.SMALLEST))

    def measured(self, tokens: int, seconds: float) -> None:
        """Learn from a pass. Tiny ones say little about speed and are left out."""
        if tokens < self.SMALLEST or seconds <= 0:
            return
        rate = tokens / seconds
        if tokens < self.TILE:
            self._small = _smoothed(self._small, rate)
        else:
            self._large = _smoothed(self._large, rate)


def _smoothed(old: float, new: float) -> float:
    return new if old <= 0 else 0.7 * old + 0.3 * new


def share_rows(left: Sequence[int], limit: int) -> list[int]:
    """Divide the rows of a pass among prompts.

    The first one, which has waited longest, gets half of the rows or more, so that it ends however
    many come after it. The others come shortest first: a short prompt does not wait behind a long
    one.

    Args:
        left: Tokens that each prompt still needs, in the order of their arrival.
        limit: Rows of the pass, at least 1.
    """
    shares = [0] * len(left)
    if left:
        shares[0] = min(left[0], (limit + 1) // 2)
        limit -= shares[0]
    for index in sorted(range(1, len(left)), key=left.__getitem__):
        shares[index] = min(left[index], limit)
        limit -= shares[index]
    if left:
        shares[0] += min(left[0] - shares[0], limit)
    return shares


def mixed_pass(
    due: Mapping[int, int], slots: Sequence[Slot], parts: Sequence[tuple[Slot, Sequence[int], bool]]
) -> Pass:
    """Plan one row for each generating slot and parts of prompts beside them, in a shared cache.

    Args:
        due: The token to be evaluated next, by the slot's index.
        slots: All slots.
        parts: Slots with tokens of their prompts, and whether the prompt ends with them.
    """
    runs = [Run(index, len(slots[index].tokens), (due[index],), output=True) for index in due]
    for slot, tokens, ends in parts:
        if tokens:
            runs.append(Run(slot.index, len(slot.tokens), tuple(tokens), output=ends))
    return Pass("prefill" if any(p[1] for p in parts) else "decode", tuple(runs), orderly=False)


def side_by_side(indices: Sequence[int], most: int) -> list[list[int]]:
    """Divide the indices of slots, in rising order, into groups that span so many slots at most."""
    groups: list[list[int]] = []
    for index in indices:
        if not groups or index - groups[-1][0] >= most:
            groups.append([])
        groups[-1].append(index)
    return groups


def decode_pass(
    due: Mapping[int, int], slots: Sequence[Slot], *, order: Order, orderly: bool, can_cut: bool
) -> Pass:
    """Plan one row for each generating slot.

    Args:
        due: The token to be evaluated next, by the slot's index; not empty. For an orderly pass
            these slots span no more than an answer's rows.
        slots: All slots.
        order: What makes a pass orderly.
        orderly: Whether the pass must be so.
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
    missing = order.answers.least - len(runs)
    if orderly and can_cut and missing > 0:
        runs.append(_fillers_behind(runs[0], missing))
    return _pass("decode", runs, order, can_cut=can_cut)


def prefill_pass(
    slot: Slot,
    tokens: Sequence[int],
    start: int,
    *,
    prompt: int,
    room: int,
    limit: int,
    order: Order,
    orderly: bool,
    can_cut: bool,
) -> Pass:
    """Plan the next chunk of a prompt.

    Args:
        slot: Where it goes.
        tokens: The whole prompt, and behind it what was generated by an earlier process.
        start: Tokens of it that are evaluated or were forgotten; fewer than all.
        prompt: How many of the tokens are the prompt.
        room: Cells that are left, at least 1.
        limit: Most tokens of a chunk.
        order: What makes a pass orderly.
        orderly: Whether the pass must be so.
        can_cut: Whether filler rows can be forgotten again.
    """
    apart = orderly and bool(order.tiled)
    end = prompt if apart and start < prompt else len(tokens)
    rows = order.answers if apart and start >= prompt else order.prompts
    left = end - start
    count = min(left, room, limit, rows.most if orderly else limit)
    short = rows.least - (left - count)
    if orderly and count < left and 0 < short <= count - rows.least:
        count -= short  # a last chunk that is too small would need fillers
    chunk = tuple(tokens[start : start + count])
    run = Run(slot.index, len(slot.tokens), chunk, output=start + count == len(tokens))
    runs = [run]
    if orderly and can_cut and count < rows.least:
        runs.append(_fillers_behind(run, rows.least - count))
    return _pass("prefill", runs, order, can_cut=can_cut)


def _pass(
    kind: Literal["prefill", "decode"], runs: Sequence[Run], order: Order, *, can_cut: bool
) -> Pass:
    rows = sum(len(run.tokens) for run in runs)
    return Pass(kind, tuple(runs), orderly=can_cut and order.prompts.allow(rows))


def _fillers_behind(run: Run, count: int) -> Run:
    position = run.position + len(run.tokens)
    return Run(run.slot, position, (_FILLER_TOKEN,) * count, filler=True)
