"""Which of the streams that wait may begin: there is a slot and room, and nothing to wait for."""

from collections.abc import Sequence

from actorllm.actors.runner.engine.backend import Backend
from actorllm.actors.runner.engine.prefix import MIN_COPY_GAIN
from actorllm.actors.runner.engine.prefixes import Prefixes
from actorllm.actors.runner.engine.radix import common_prefix
from actorllm.actors.runner.engine.slots import Slot, cells_of
from actorllm.actors.runner.engine.streams import Stream

__all__ = ["Admission"]

_HEADROOM = 32
"""Free cells for each stream before another one is admitted: else it would soon be sent back."""


class Admission:
    """Looks at the slots and at the prompts that are evaluated; changes neither.

    Args:
        backend: Has the cells.
        slots: All slots.
        prompts: The streams whose prompts are evaluated now, in the order of their coming.
        prefixes: Knows what others have.
    """

    def __init__(
        self,
        backend: Backend,
        slots: Sequence[Slot],
        prompts: Sequence[Stream],
        prefixes: Prefixes,
    ) -> None:
        self._backend = backend
        self._slots = slots
        self._prompts = prompts
        self._prefixes = prefixes

    def has_room(self, stream: Stream) -> bool:
        """Whether there is a slot for a stream, and cells."""
        if all(slot.stream is not None for slot in self._slots):
            return False
        if not self._backend.unified:  # orderly passes have one prompt each
            return not (self._prompts and self._backend.deterministic)
        busy = [slot for slot in self._slots if slot.stream is not None]
        if not busy:
            return True
        coming = sum(other.left(can_cut=self._backend.can_cut) for other in self._prompts)
        shared = self._prefixes.shared(stream.tokens)
        needed = len(stream.tokens) - shared + coming + _HEADROOM * (len(busy) + 1)
        return cells_of(busy, self._backend.cells - needed) + needed <= self._backend.cells

    def waits(self, stream: Stream) -> bool:
        """Whether a prompt that is evaluated now will have more of a stream's than is there."""
        if not self._backend.can_cut or not self._prompts:
            return False
        if stream.awaited is not None:
            other, common = stream.awaited
            if other in self._prompts and other.placed < common:
                return True
        known = self._prefixes.best(stream.tokens, "")
        for other in self._prompts:
            common = min(common_prefix(other.tokens, stream.tokens), len(stream.tokens) - 1)
            if not other.discarded and common - max(known, other.placed) >= MIN_COPY_GAIN:
                stream.awaited = (other, common)
                return True
        stream.awaited = None
        return False
