"""The prefix cache: the cells of all slots, and what was put aside of them, under one tree.

A prompt begins with the longest prefix that anyone has computed: in its slot already, in another
slot, in host memory, or on disk. What a prompt overwrites is saved before, if it would take longer
to compute it anew than to copy it.

llama.cpp copies the state of a sequence in one go, and meanwhile no stream gets a token. So what
would take longer than running streams may wait is not saved while there are any. What is on disk
is read in parts, between passes.
"""

from collections.abc import Callable, Sequence

from actorllm.actors.runner.engine.arrivals import Archive
from actorllm.actors.runner.engine.aside import Aside
from actorllm.actors.runner.engine.backend import Backend
from actorllm.actors.runner.engine.batching import WIDE_GAP
from actorllm.actors.runner.engine.costs import Costs
from actorllm.actors.runner.engine.holders import Holders
from actorllm.actors.runner.engine.prefix import (
    MIN_COPY_GAIN,
    Placement,
    beside_running,
    oldest,
    place_prompt,
)
from actorllm.actors.runner.engine.slots import Kind, Slot, cells_of
from actorllm.actors.runner.engine.store import Saved

__all__ = ["Prefixes"]

_MIN_SAVED = 64
"""Tokens that nobody else has, below which nothing is saved."""


class Prefixes:
    """Slots and saved states, by their tokens."""

    def __init__(
        self,
        backend: Backend,
        slots: Sequence[Slot],
        *,
        memory: int,
        archive: Archive | None,
        costs: Costs,
        patience: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        """Prepare.

        Args:
            backend: Has the cells.
            slots: All slots.
            memory: Bytes for saved states.
            archive: What is left of earlier processes.
            costs: Of copies, which it teaches, and of computing.
            patience: Seconds that a copy may take now.
            clock: Monotonic seconds.
        """
        self._backend = backend
        self._slots = slots
        self._patience = patience
        self._clock = clock
        self._costs = costs
        self._holders = Holders(backend)
        self._aside = Aside(self._holders, memory, archive)
        self.restored = self.saved = self.lost = 0
        """States that came back, that were put aside, and that were not, as it would take long."""

    @property
    def bytes_used(self) -> int:
        """Of host memory."""
        return self._aside.used

    @property
    def free(self) -> int:
        """Cells that nobody has."""
        return self._backend.cells - cells_of(self._slots, 0)

    def begin(self, tokens: Sequence[int], kind: Kind) -> tuple[Slot, int] | None:
        """Put the longest prefix of a prompt that anyone has into a free slot.

        Returns:
            The slot and how many of its cells the prompt uses, all that it has; None if no slot is
            free.
        """
        while True:
            usable = self._holders.usable(tokens, kind)
            slots = {h: n for h, n in usable.items() if isinstance(h, Slot)}
            entries = [h for h in usable if isinstance(h, Saved) and h.data is not None]
            near = self._near()
            place = place_prompt(self._slots, slots, near=near, movable=self._movable())
            if place is None:
                return None
            saved = max(entries, key=lambda h: usable[h], default=None)
            if saved is None or not self._gains(usable[saved] - place.keep):
                return place.slot, self._take(place)
            slot = oldest(near or self._slots)
            if self._restore(slot, saved):
                return slot, self._cut(slot, usable[saved])
            # The entry could not be used and has gone: look again.

    def awaits(self, tokens: Sequence[int], kind: Kind) -> bool:
        """Whether the longest prefix of a prompt is on its way from disk, which it is from now on."""
        if not self._aside.archived:
            return False
        usable = self._holders.usable(tokens, kind)
        on_disk = {h: n for h, n in usable.items() if isinstance(h, Saved) and h.data is None}
        if not on_disk:
            return False
        here = max((n for h, n in usable.items() if h not in on_disk), default=0)
        longest = max(on_disk, key=on_disk.__getitem__)
        if not self._gains(on_disk[longest] - here):
            return False
        self._aside.expect(longest)
        return True

    def read_on(self) -> bool:
        """Read a part of what is on its way; false if nothing is."""
        return self._aside.read_on()

    def best(self, tokens: Sequence[int], kind: Kind) -> int:
        """Count the tokens of a prompt that need not be computed."""
        return max(self._holders.usable(tokens, kind).values(), default=0)

    def shared(self, tokens: Sequence[int]) -> int:
        """Count the tokens of a prompt that need no cells, since a running stream has them."""
        usable = self._holders.usable(tokens, "").items()
        running = (n for h, n in usable if isinstance(h, Slot) and h.stream is not None)
        return max(running, default=0)

    def note(self, slot: Slot) -> None:
        """Let others find what a slot has now."""
        self._holders.note(slot)

    def checkpoint(self, slot: Slot) -> None:
        """Save a slot as it is: a state that cannot be cut later."""
        if self._aside.fits(self._backend.state_size(slot.index)):
            self._save(slot, slot.exact)

    def put_aside(self, slot: Slot) -> None:
        """Save what is in a slot if that is worth it, and empty it."""
        self._make_way(slot, 0)
        self._cut(slot, 0)

    def room(self, rows: int) -> bool:
        """Make room for more cells at the cost of idle slots; false if they do not suffice."""
        while cells_of(self._slots, self._backend.cells - rows) + rows > self._backend.cells:
            idle = [s for s in self._slots if s.stream is None and s.tokens]
            if not idle:
                return False
            self.put_aside(min(idle, key=lambda slot: slot.last_used))
        return True

    def shift(self, slot: Slot, keep: int, discard: int) -> bool:
        """Forget cells in the middle and move the rest up; false if there is no room for that."""
        if self._backend.unified and not self._make_own(slot, keep + discard):
            return False
        self._backend.shift(slot.index, keep, discard)
        slot.shift(keep, discard)
        self.note(slot)
        return True

    def archive_all(self) -> None:
        """Hand what would be dear to compute to the archive, the dearest first.

        Slots go with their process: what two of them share is not spared, as it is elsewhere.
        """
        if not self._aside.archived:
            return
        for slot in sorted(self._slots, key=lambda slot: -slot.exact):  # the long cover the short
            alone = self._holders.spare(slot, 0, beside=(Saved,))
            if alone >= _MIN_SAVED and self._cuts_to_exact(slot):
                self._save(slot, slot.exact)
        self._aside.write()

    def _near(self) -> list[Slot]:
        """Slots in which a stream would be computed together with those that run."""
        return [] if self._backend.unified else beside_running(self._slots, WIDE_GAP)

    def _movable(self) -> int:
        """Count the cells that are copied before anybody notices."""
        if not self._backend.can_cut_saved:
            return 0
        return int(self._costs.unnoticed / max(self._backend.cell_bytes, 1))

    def _gains(self, tokens: int) -> bool:
        return tokens >= MIN_COPY_GAIN or (tokens > 0 and not self._backend.can_cut)

    def _take(self, place: Placement) -> int:
        slot, keep, source = place.slot, place.keep, place.source
        if source is not None and source is not slot:
            self._make_way(slot, 0)
            self._backend.copy(source.index, slot.index, keep)
            slot.copy(source, keep, shared=self._backend.unified)
        else:
            self._make_way(slot, keep)
        return self._cut(slot, keep)

    def _cut(self, slot: Slot, keep: int) -> int:
        whole = keep == len(slot.tokens) and not self._backend.can_cut
        if not whole and not self._backend.cut(slot.index, keep):
            keep = 0
            self._backend.cut(slot.index, 0)
        slot.cut(keep)
        self.note(slot)
        return keep

    def _make_way(self, slot: Slot, keep: int) -> None:
        """Save what a slot is about to lose, if that is worth it."""
        spare = self._holders.spare(slot, keep)
        if spare < _MIN_SAVED or not self._cuts_to_exact(slot):
            return
        size = self._backend.state_size(slot.index)
        seconds = self._costs.copying(size)
        if not self._aside.fits(size) or self._costs.computing(spare) <= seconds:
            return
        if seconds > self._patience():
            self.lost += 1
            return
        self._save(slot, spare)

    def _cuts_to_exact(self, slot: Slot) -> bool:
        """Leave in an idle slot what is of use to others."""
        if slot.exact < len(slot.tokens):
            if not self._backend.can_cut or not self._backend.cut(slot.index, slot.exact):
                return False
            slot.cut(slot.exact)
        return True

    def _save(self, slot: Slot, spare: int) -> None:
        began = self._clock()
        data = self._backend.save(slot.index)
        if data is None:
            return
        self._costs.learn(len(data), self._clock() - began)
        saved = Saved(
            tokens=tuple(slot.tokens),
            orderly=slot.orderly,
            kind=slot.kind,
            size=len(data),
            cost=self._costs.computing(spare),
            data=data,
        )
        self.saved += 1
        if self._backend.can_cut_saved:
            self._aside.drop_beginnings(saved)
        self._aside.keep(saved)

    def _restore(self, slot: Slot, saved: Saved) -> bool:
        """Put a saved state into a slot; if that fails the entry goes."""
        data = saved.data
        assert data is not None
        self.put_aside(slot)
        room = self.room(len(saved.tokens))
        began = self._clock()
        if not room or not self._backend.restore(slot.index, data):
            self._aside.drop(saved)
            return False
        self._costs.learn(len(data), self._clock() - began)
        slot.restore(saved.tokens, saved.orderly, saved.kind)
        self._aside.touch(saved)
        self.restored += 1
        return True

    def _make_own(self, slot: Slot, begin: int) -> bool:
        """See to it that nobody else has the cells of a slot from `begin` on.

        To move a cell moves it for all who share it.
        """
        shared = len(self._others(slot).intersection(slot.cells))
        if not shared:
            return True
        room = self.room(shared)
        if self._others(slot).isdisjoint(slot.cells[begin:]):
            return True
        data = self._backend.save(slot.index) if room else None
        if data is None:
            return False
        self._backend.cut(slot.index, 0)
        if not self._backend.restore(slot.index, data):
            raise RuntimeError("the state of a sequence could not be moved")
        slot.renumber()
        return True

    def _others(self, slot: Slot) -> set[int]:
        return set[int]().union(*(other.cells for other in self._slots if other is not slot))
