"""Who begins like a prompt: slots and saved states, and how much of each can be used. Pure."""

from collections.abc import Sequence

from actorllm.actors.runner.engine.backend import Backend
from actorllm.actors.runner.engine.prefix import usable_cells
from actorllm.actors.runner.engine.radix import RadixTree
from actorllm.actors.runner.engine.slots import Kind, Slot
from actorllm.actors.runner.engine.store import Saved

__all__ = ["Holders"]


class Holders:
    """Slots and saved states, by their tokens.

    Args:
        backend: Knows whether what they hold can be cut.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._tree: RadixTree[Slot | Saved] = RadixTree()

    def note(self, holder: Slot | Saved) -> None:
        """Let others find what a holder has now; of a slot, what is exact."""
        tokens = holder.tokens[: holder.exact] if isinstance(holder, Slot) else holder.tokens
        self._tree.insert(tokens, holder)

    def forget(self, holder: Slot | Saved) -> None:
        """Let nobody find a holder any more."""
        self._tree.discard(holder)

    def usable(self, tokens: Sequence[int], kind: Kind) -> dict[Slot | Saved, int]:
        """Count the cells that a prompt can use of each holder; who has none is left out."""
        usable = {}
        for holder, shared in self._tree.shared(tokens).items():
            if isinstance(holder, Slot):
                reusable = holder.reusable(kind)
            else:
                held = len(holder.tokens)
                reusable = held if not kind else holder.orderly if holder.kind == kind else 0
            count = usable_cells(
                shared, len(holder.tokens), reusable, len(tokens), can_cut=self._can_cut(holder)
            )
            if count > 0:
                usable[holder] = count
        return usable

    def spare(
        self, slot: Slot, keep: int, *, beside: tuple[type[Slot | Saved], ...] = (Slot, Saved)
    ) -> int:
        """Count the tokens that nobody but a slot would have, if it kept some.

        Args:
            slot: That is about to lose the others.
            keep: How many it keeps.
            beside: Who counts as somebody.
        """
        if not slot.exact:
            return 0
        shared = self._tree.shared(slot.tokens[: slot.exact])
        others = (
            n
            for holder, n in shared.items()
            if holder is not slot and isinstance(holder, beside) and self._serves(holder, n)
        )
        return slot.exact - max(keep, max(others, default=0))

    def _serves(self, holder: Slot | Saved, shared: int) -> bool:
        """Whether the beginning that a holder shares can be had of it without the rest."""
        return self._can_cut(holder) or shared >= len(holder.tokens)

    def _can_cut(self, holder: Slot | Saved) -> bool:
        saved = isinstance(holder, Saved)
        return self._backend.can_cut_saved if saved else self._backend.can_cut
