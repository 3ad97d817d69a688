"""States that were put aside: in host memory, on disk, or on their way from there."""

from actorllm.actors.runner.engine.arrivals import Archive, Arrivals
from actorllm.actors.runner.engine.holders import Holders
from actorllm.actors.runner.engine.store import Saved, State, Store

__all__ = ["Aside"]

_FILED = 256
"""Tokens below which a state is not worth a file."""


class Aside:
    """Saved states, wherever they are.

    Args:
        holders: Hears of all of them.
        memory: Bytes of host memory.
        archive: What is left of earlier processes; None: nothing survives this one.
    """

    def __init__(self, holders: Holders, memory: int, archive: Archive | None) -> None:
        self._holders = holders
        self._store = Store(memory)
        self._archive = archive
        self._arrivals = None if archive is None else Arrivals(archive)
        self._arrived: Saved | None = None
        """It has its data until another one arrives, even if the store does not want it."""
        self._outgrown: list[Saved] = []
        """Those in the archive that are the beginning of a later one."""
        for saved in [] if archive is None else archive.entries():
            holders.note(saved)

    @property
    def archived(self) -> bool:
        """Whether states survive the process."""
        return self._archive is not None

    @property
    def used(self) -> int:
        """Bytes of host memory."""
        return self._store.used

    def fits(self, size: int) -> bool:
        """Whether a state of so many bytes could be kept at all."""
        return self._store.fits(size)

    def keep(self, saved: Saved) -> None:
        """Keep a state in memory, at the cost of those that are worth less."""
        self._holders.note(saved)
        for gone in self._store.add(saved):
            gone.data = None
            if not gone.name:
                self._holders.forget(gone)

    def touch(self, saved: Saved) -> None:
        """Note that a state was of use."""
        self._store.touch(saved)

    def drop(self, saved: Saved) -> None:
        """Let a state go."""
        self._store.remove(saved)
        self._holders.forget(saved)

    def drop_beginnings(self, saved: Saved) -> None:
        """Let those go in whose place a state can be used, since it begins as they do."""
        for entry in self._store:
            length = len(entry.tokens)
            if entry.orderly and entry.kind != saved.kind:
                continue
            if entry.orderly <= saved.orderly and entry.tokens == saved.tokens[:length]:
                self.drop(entry)
                if entry.name:
                    self._outgrown.append(entry)

    def expect(self, saved: Saved) -> None:
        """Begin to read a state from disk, if none is being read; else it has to be asked again."""
        if self._arrivals is not None:
            self._arrivals.expect(saved)

    def read_on(self) -> bool:
        """Read a part of what is on its way; false if nothing is."""
        if self._arrivals is None or not self._arrivals.busy:
            return False
        arrival = self._arrivals.go_on()
        if arrival is not None:
            self._arrive(*arrival)
        return True

    def _arrive(self, saved: Saved, data: State | None) -> None:
        """Keep what was read; if it was of no use, the entry goes."""
        if data is None:
            self._holders.forget(saved)
            return
        last, self._arrived = self._arrived, saved
        if last is not None and last not in self._store:
            last.data = None
        self.keep(saved)
        saved.data = data

    def write(self) -> None:
        """Hand what is in memory only to the archive, the dearest first."""
        if self._archive is not None:
            rows = [s for s in self._store if len(s.tokens) >= _FILED and not s.name]
            self._archive.write(sorted(rows, key=lambda s: -s.cost), self._outgrown)
