"""A slot: one sequence of the KV cache, and what we know of its cells."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actorllm.actors.runner.engine.streams import Stream

__all__ = ["Slot"]


class Slot:
    """The mirror of one sequence's cells. Cell i holds `tokens[i]` at position i.

    Two prefixes are told apart from the rest, because another prompt may only use cells that are
    what it would have computed itself: `exact` cells have seen no context shift, and `orderly`
    ones were also computed in batches that give the same bits whatever their split.
    """

    __slots__ = ("exact", "index", "last_used", "orderly", "stream", "tokens")

    def __init__(self, index: int) -> None:
        self.index = index
        self.tokens: list[int] = []
        self.exact = 0
        self.orderly = 0
        self.last_used = 0
        self.stream: Stream | None = None

    def place(self, tokens: Sequence[int], *, orderly: bool) -> None:
        """Note tokens that were evaluated after the others."""
        if self.exact == len(self.tokens):
            if orderly and self.orderly == self.exact:
                self.orderly += len(tokens)
            self.exact += len(tokens)
        self.tokens.extend(tokens)

    def cut(self, length: int) -> None:
        """Note that only the first `length` cells are left."""
        del self.tokens[length:]
        self.exact = min(self.exact, length)
        self.orderly = min(self.orderly, length)

    def copy(self, source: "Slot") -> None:
        """Note that this slot's cells are now those of another slot."""
        self.tokens = source.tokens.copy()
        self.exact = source.exact
        self.orderly = source.orderly

    def shift(self, keep: int, discard: int) -> None:
        """Note that `discard` cells after the first `keep` were forgotten, the rest moved up."""
        del self.tokens[keep : keep + discard]
        self.exact = min(self.exact, keep)
        self.orderly = min(self.orderly, keep)

    def reusable(self, *, orderly: bool) -> int:
        """Count the leading cells that another prompt with the same tokens may use."""
        return self.orderly if orderly else self.exact
