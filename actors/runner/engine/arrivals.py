"""States on their way from an archive to memory: read in parts, so that no stream waits long."""

from collections.abc import Sequence
from typing import Protocol

from actorllm.actors.runner.engine.store import Saved, State

__all__ = ["Archive", "Arrivals", "Reading"]


class Reading(Protocol):
    """A state that is being read."""

    @property
    def data(self) -> State | None:
        """The state, at the end; None if it could not be used, and has gone."""

    def go_on(self) -> bool:
        """Read a part, which takes some 20 ms at most; false if there is none left."""


class Archive(Protocol):
    """Where saved states survive the process."""

    def entries(self) -> list[Saved]:
        """Give what is there, the latest first; their data is read when it is needed."""

    def open(self, saved: Saved) -> Reading:
        """Begin to read the state of an entry."""

    def write(self, entries: Sequence[Saved], outgrown: Sequence[Saved]) -> None:
        """Keep entries, the first ones first, as far as there is room and time.

        Of those that are there, the outgrown ones go if what replaces them was written.
        """


class Arrivals:
    """Reads one state at a time."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._reading: tuple[Saved, Reading] | None = None

    def expect(self, saved: Saved) -> None:
        """Begin to read a state, if none is being read; else somebody has to ask again."""
        if self._reading is None:
            self._reading = saved, self._archive.open(saved)

    @property
    def busy(self) -> bool:
        """Whether a state is being read."""
        return self._reading is not None

    def go_on(self) -> tuple[Saved, State | None] | None:
        """Read a part; gives the entry and its data, None if it is of no use, at its end."""
        if self._reading is None:
            return None
        saved, reading = self._reading
        if reading.go_on():
            return None
        self._reading = None
        return saved, reading.data
