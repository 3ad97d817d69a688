"""Which rows go into the next pass: pure decisions, shared by the real and the fake engine.

A pass is one `llama_decode`. There are two layouts of the KV cache, and each has its passes.

Shared: all sequences lie in one pool of cells, and any rows can be computed together. A pass is one
row of each generating slot and, beside them, parts of prompts, as many rows as running streams can
wait for.

Split: each sequence has a stream of cells of its own, and llama.cpp computes a batch in one go only
if its sequences lie side by side and bring equally many rows. A pass is either one row of each
generating slot or one chunk of one prompt, and they take turns. Gaps between generating slots are
closed by filler rows: they are computed behind the last cell of the slot in the gap, nobody reads
them, and they are forgotten after the pass. A row or two cost less than reading all weights a second
time, which is what llama.cpp does where a wider gap is left.

Determinism on CPU: with flash attention on, a row gets the same bits whatever is beside it, as long
as its kernels stay the same. They change with the rows of a pass: a single one is split over the
threads, behind many cells; from 8 rows on, weights of some types are multiplied in tiles; from 64
rows on, attention is computed in tiles, which is several times as fast. So each token has its kernels
by its place: long prompts are computed in passes of 64 rows or more, short ones in passes of 2 (or 8)
to 63, and answers in passes of 2 to 63 (or 7), those of an earlier process included. Such passes are
called orderly, and their cells "large" or "small". They also need a sequence's cells in the order of
its positions, which a shared pool loses as soon as freed cells are used again: only the split layout
has them.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import attrs

from actorllm.actors.runner.engine.attention import TILED_FROM
from actorllm.actors.runner.engine.slots import Kind, Slot

__all__ = [
    "LONG_PROMPT",
    "ORDERLY_ROWS",
    "WIDE_GAP",
    "ChunkSizer",
    "Kind",
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
"""Most rows of an orderly pass without tiled attention."""
LONG_PROMPT = 128
"""Tokens of a prompt from which on tiled attention pays."""
WIDE_GAP = 3
"""Slots without a row between others, from which on the gap is left where nothing forbids it."""

_FILLER_TOKEN = 0
_TILE = ORDERLY_ROWS + 1
_WHOLE = 256


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
    most: int = ORDERLY_ROWS
    """Rows that are computed in one go."""
    pairs: bool = False
    """Whether a single row, or the logits of a single one, have other bits than those of two."""

    @property
    def answers(self) -> Rows:
        """Of a pass over tokens that were generated."""
        return Rows(2, self.tiled - 1 if self.tiled else ORDERLY_ROWS)

    def kind(self, length: int) -> Kind:
        """Give the kind of cells that a prompt of so many tokens needs."""
        return "large" if length >= LONG_PROMPT and self.most >= 2 * _TILE else "small"

    def rows(self, kind: Kind) -> Rows:
        """Of a pass that leaves such cells."""
        if kind == "large":
            return Rows(_TILE, self.most)
        return Rows(max(2, self.tiled), ORDERLY_ROWS)

    def sought(self, kind: Kind, tokens: Sequence[int], prompt: int) -> Sequence[int]:
        """Give the tokens whose cells a stream may have from others, and one more.

        Where passes need more rows than a filler makes good, the prompt leaves enough of them; then
        an answer has none of its cells from there.

        Args:
            kind: Of the cells that it needs.
            tokens: Its prompt, and what was generated.
            prompt: How many of them are the prompt.
        """
        least = self.rows(kind).least
        if not kind or least <= self.answers.least:
            return tokens
        return tokens[: max(1, prompt - least + 1)]

    def cells(self, rows: int) -> Kind:
        """Give the kind of cells that a pass of so many rows leaves."""
        kinds: tuple[Kind, ...] = ("small", "large")
        return next((kind for kind in kinds if self.rows(kind).allow(rows)), "")


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
    orderly: Kind = ""
    """The kind of its cells, if it is orderly."""

    @property
    def rows(self) -> int:
        return sum(len(run.tokens) for run in self.runs)


class ChunkSizer:
    """How many tokens of prompts fit into one pass, from the speed that was measured.

    From 64 rows on, flash attention is computed in tiles, which is several times as fast for each
    row. So the speeds of small and of large passes are kept apart, and large ones are whole tiles.
    Small ones are a multiple of four rows, which llama.cpp multiplies together: three take longer.
    """

    SHARED_SECONDS = 0.18
    """Longest time while others generate: with what is around it, they wait 0.2 s at most."""
    ALONE_SECONDS = 1.0
    """Longest pass while nobody waits, so that a cancelled prompt soon makes room."""
    STEPS = 2
    """A pass may take as long as so many steps of the running streams, if that is longer."""
    SMALLEST = 8
    FOUR = 4
    TILE = 64
    """Rows from which on attention is tiled, and a step of useful sizes; also the first chunk."""

    def __init__(self, num_batch: int, *, tiles: bool = True) -> None:
        """Prepare.

        Args:
            num_batch: Most rows.
            tiles: Whether small passes are slow behind many cells.
        """
        self._num_batch = num_batch
        self._tiles = tiles
        self._small = self._large = 0.0

    @property
    def rate(self) -> float:
        """Tokens per second that prompts are evaluated with; 0 before the first."""
        return max(self._small, self._large)

    def limit(
        self,
        *,
        alone: bool,
        step_seconds: float = 0.0,
        then_step: bool = False,
        behind: int = 0,
    ) -> int:
        """Give the most tokens of prompts in the next pass.

        Args:
            alone: Whether no stream waits for the pass.
            step_seconds: What a pass of the running streams takes by itself.
            then_step: Whether it comes after this one; otherwise the speeds that were measured
                beside streams have it in them.
            behind: Cells that are there of the longest prompt.
        """
        if self.rate <= 0:
            return min(self._num_batch, self.TILE)
        seconds = self.ALONE_SECONDS
        if not alone:
            seconds = max(self.SHARED_SECONDS, self.STEPS * step_seconds)
            seconds -= step_seconds if then_step else 0.0
        rows = int((self._large or self._small) * seconds)
        if rows < self.TILE <= self._num_batch:
            if self._tiles and behind >= TILED_FROM:
                return self.TILE
            rows = int((self._small or self._large / 2) * seconds)
            fours = (rows + 1) // self.FOUR  # 24 rows take no longer than 23
            rows = min(fours * self.FOUR, self.TILE - self.FOUR)
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
    """Follow a rate, down faster than up: a pass that is too long makes others wait."""
    part = 0.3 if new > old > 0 else 0.7 if old > 0 else 1.0
    return old + part * (new - old)


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
    """Plan one row for each generating slot and parts of prompts beside them.

    Args:
        due: The token to be evaluated next, by the slot's index; in a shared cache only.
        slots: All slots.
        parts: Slots with tokens of their prompts, and whether the prompt ends with them.
    """
    runs = [Run(index, len(slots[index].tokens), (due[index],), output=True) for index in due]
    for slot, tokens, ends in sorted(parts, key=lambda part: part[0].index):
        if tokens:
            runs.append(Run(slot.index, len(slot.tokens), tuple(tokens), output=ends))
    return Pass("prefill" if any(p[1] for p in parts) else "decode", tuple(runs))


def side_by_side(indices: Sequence[int], most: int) -> list[list[int]]:
    """Divide the indices of slots, in rising order, into groups that span so many slots at most."""
    groups: list[list[int]] = []
    for index in indices:
        if not groups or index - groups[-1][0] >= most:
            groups.append([])
        groups[-1].append(index)
    return groups


def decode_pass(
    due: Mapping[int, int],
    slots: Sequence[Slot],
    *,
    order: Order | None,
    orderly: bool,
    can_cut: bool,
) -> Pass:
    """Plan one row for each generating slot.

    Args:
        due: The token to be evaluated next, by the slot's index; not empty. For an orderly pass
            these slots span no more than an answer's rows.
        slots: All slots.
        order: What makes a pass orderly; None: nothing can.
        orderly: Whether the pass must be so.
        can_cut: Whether filler rows can be forgotten again.
    """
    runs: list[Run] = []
    last, whole = min(due), True
    for index in sorted(due):
        gap = slots[last + 1 : index]
        last = index
        if can_cut and (orderly or len(gap) < WIDE_GAP):
            runs += [Run(s.index, len(s.tokens), (_FILLER_TOKEN,), filler=True) for s in gap]
        elif gap:
            whole = False
        runs.append(Run(index, len(slots[index].tokens), (due[index],), output=True))
    if order is None or not can_cut:
        return Pass("decode", tuple(runs))
    first, rows = min(due), len(runs)
    if orderly and rows < order.answers.least:
        rows = order.answers.least
        if order.pairs or not _is_whole(slots[first]):
            runs.append(_fillers_behind(runs[0], rows - 1))
    return Pass("decode", tuple(runs), order.cells(rows) if whole else "")


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
    kind = order.kind(prompt)
    rows = order.rows(kind) if start < prompt else order.answers
    end = prompt if orderly and start < prompt else len(tokens)
    left = end - start
    if orderly:
        limit = min(max(limit, rows.least) if kind == "large" else limit, rows.most)
    count = min(left, room, limit)
    short = rows.least - (left - count)
    if orderly and count < left and short > 0:  # a last chunk that is too small would need fillers
        if count - short >= rows.least:
            count -= short
        elif left <= rows.most:
            count = min(left, room)
    chunk = tuple(tokens[start : start + count])
    run = Run(slot.index, len(slot.tokens), chunk, output=start + count == len(tokens))
    runs = [run]
    if orderly and can_cut and count < rows.least:
        runs.append(_fillers_behind(run, rows.least - count))
    count = sum(len(run.tokens) for run in runs)
    return Pass("prefill", tuple(runs), order.cells(count) if can_cut else "")


def _is_whole(slot: Slot) -> bool:
    """Whether a single row behind a slot's cells is not split over threads.

    It is from 512 cells on. llama.cpp looks at a multiple of 256, up to the last one that is used;
    after a shift there are gaps between them.
    """
    return slot.exact == len(slot.tokens) < _WHOLE


def _fillers_behind(run: Run, count: int) -> Run:
    position = run.position + len(run.tokens)
    return Run(run.slot, position, (_FILLER_TOKEN,) * count, filler=True)
