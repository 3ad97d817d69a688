"""Prefixes that were put aside: which of them are kept within a budget of bytes. Pure.

Eviction is GreedyDual-Size (Cao and Irani, 1997): an entry's credit is what it costs to compute
anew for each of its bytes, on top of the credit of what was evicted last. So cheap and large
entries go first, and what nobody asks for any more ages.
"""

from collections.abc import Iterator

import attrs

from actorllm.actors.runner.engine.slots import Kind

__all__ = ["Saved", "State", "Store"]

State = memoryview
"""Of the single bytes of a sequence's state."""


@attrs.define(eq=False)
class Saved:
    """The state of a sequence behind some tokens."""

    tokens: tuple[int, ...]
    orderly: int
    """Leading tokens that were computed in orderly passes."""
    size: int
    """Bytes of its state."""
    cost: float
    """Seconds that it takes to compute it."""
    data: State | None = None
    """None while it is on disk only."""
    name: str = ""
    """Of its file, if it has one."""
    credit: float = 0.0
    kind: Kind = ""
    """Of the orderly cells."""


class Store:
    """Saved states in host memory, within a budget."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        """Bytes."""
        self.used = 0
        self._entries: dict[Saved, None] = {}
        self._level = 0.0

    def __iter__(self) -> Iterator[Saved]:
        """From the one whose loss costs least to the dearest."""
        return iter(sorted(self._entries, key=lambda saved: saved.credit))

    def __contains__(self, saved: Saved) -> bool:
        return saved in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def fits(self, size: int) -> bool:
        """Whether an entry of so many bytes could be kept at all."""
        return 0 < size <= self.budget

    def add(self, saved: Saved) -> list[Saved]:
        """Keep an entry; gives those that had to go for it, itself if it is not worth a place."""
        if not self.fits(saved.size):
            return [saved]
        self._entries[saved] = None
        self.used += saved.size
        self.touch(saved)
        gone = []
        while self.used > self.budget:
            least = min(self._entries, key=lambda entry: entry.credit)
            self._level = least.credit
            self.remove(least)
            gone.append(least)
        return gone

    def touch(self, saved: Saved) -> None:
        """Note that an entry was of use."""
        saved.credit = self._level + saved.cost / max(saved.size, 1)

    def remove(self, saved: Saved) -> None:
        """Let an entry go, if it is there."""
        if self._entries.pop(saved, self) is None:
            self.used -= saved.size
