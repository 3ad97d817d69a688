"""A slot: one sequence of the KV cache, and what we know of its cells."""

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from actorllm.actors.runner.engine.types import SlotStats

if TYPE_CHECKING:
    from actorllm.actors.runner.engine.streams import Stream

__all__ = ["Kind", "Slot", "cells_of"]

Kind = Literal["", "small", "large"]
"""How cells were computed, where it decides on their bits (see `batching`); empty: anyhow."""

_numbers = itertools.count()


class Slot:
    """The mirror of one sequence's cells. Cell i holds `tokens[i]` at position i.

    Two prefixes are told apart from the rest, because another prompt may only use cells that are
    what it would have computed itself: `exact` cells have seen no context shift, and `orderly`
    ones were also computed in batches that give the same bits whatever their split, all of a kind.

    Args:
        index: Of the sequence.
        numbered: Whether cells have numbers, since others may hold them, too.
    """

    __slots__ = (
        "cells", "exact", "index", "kind", "last_used", "numbered", "orderly", "stream", "tokens"
    )  # fmt: skip

    def __init__(self, index: int, *, numbered: bool = True) -> None:
        self.index = index
        self.numbered = numbered
        self.tokens: list[int] = []
        self.cells: list[int] = []
        """A number for each cell of a shared cache, where two slots may hold the same one."""
        self.exact = 0
        self.orderly = 0
        self.kind: Kind = ""
        self.last_used = 0
        self.stream: Stream | None = None

    def place(self, tokens: Sequence[int], kind: Kind = "") -> None:
        """Note tokens that were evaluated after the others."""
        if self.exact == len(self.tokens):
            if not self.orderly:
                self.kind = kind
            if kind and kind == self.kind and self.orderly == self.exact:
                self.orderly += len(tokens)
            self.exact += len(tokens)
        self.tokens.extend(tokens)
        if self.numbered:
            self.cells += itertools.islice(_numbers, len(tokens))

    def renumber(self) -> None:
        """Note that nobody else has these cells any more."""
        if self.numbered:
            self.cells = list(itertools.islice(_numbers, len(self.tokens)))

    def cut(self, length: int) -> None:
        """Note that only the first `length` cells are left."""
        del self.tokens[length:]
        del self.cells[length:]
        self.exact = min(self.exact, length)
        self.orderly = min(self.orderly, length)

    def copy(self, source: "Slot", length: int, *, shared: bool) -> None:
        """Note that this slot's cells are now the first ones of another slot.

        Args:
            source: The other slot.
            length: How many.
            shared: Whether they are the same cells, not copies.
        """
        self.tokens = source.tokens[:length]
        if shared:
            self.cells = source.cells[:length]
        else:
            self.renumber()
        self.exact = min(source.exact, length)
        self.orderly = min(source.orderly, length)
        self.kind = source.kind

    def restore(self, tokens: Sequence[int], orderly: int, kind: Kind) -> None:
        """Note that this slot's cells are now what was saved of a sequence."""
        self.cut(0)
        self.place(tokens)
        self.orderly, self.kind = orderly, kind

    def shift(self, keep: int, discard: int) -> None:
        """Note that `discard` cells after the first `keep` were forgotten, the rest moved up."""
        del self.tokens[keep : keep + discard]
        del self.cells[keep : keep + discard]
        self.exact = min(self.exact, keep)
        self.orderly = min(self.orderly, keep)

    def stats(self) -> SlotStats:
        """Say what it does; may be called from any thread."""
        stream = self.stream  # read once: the engine's thread may take it away
        if stream is None:
            return SlotStats(self.index, None, len(self.tokens), "idle")
        tokens = len(self.tokens) + stream.apart
        return SlotStats(self.index, stream.work.id, tokens, stream.phase)

    def reusable(self, kind: Kind) -> int:
        """Count the leading cells that another prompt with the same tokens may use.

        Args:
            kind: That it needs.
        """
        if not kind:
            return self.exact
        return self.orderly if kind == self.kind else 0


def cells_of(slots: Iterable[Slot], most: int) -> int:
    """Count the cells of slots, shared ones once; it is exact where it matters, above `most`."""
    slots = tuple(slots)
    count = sum(len(slot.tokens) for slot in slots)
    if count <= most or not all(slot.numbered for slot in slots):
        return count
    return len(set().union(*(slot.cells for slot in slots)))
