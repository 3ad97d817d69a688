"""Whether a model fits into memory, and who has to go for it: pure decisions."""

from collections.abc import Sequence
from typing import Literal

import attrs

__all__ = ["SHARE_BESIDE_OTHERS", "Candidate", "Room", "make_room", "victim"]

SHARE_BESIDE_OTHERS = 0.8
"""Part of the free memory that a further model may take."""


@attrs.frozen
class Candidate:
    """A loaded model that could go."""

    key: str
    keep_alive: float
    """Seconds; infinity for ever."""
    busy: bool
    """Whether requests run on it."""


@attrs.frozen
class Room:
    """What to do before a load."""

    action: Literal["load", "evict", "refuse"]
    key: str = ""
    """Whom to evict; when it is busy, after its requests have ended."""


def victim(loaded: Sequence[Candidate]) -> Candidate | None:
    """The idle model with the smallest keep-alive; if none is idle, the smallest of all."""
    if not loaded:
        return None
    return min(loaded, key=lambda c: (c.busy, c.keep_alive, c.key))


def make_room(needed: int, available: int, most_loaded: int, loaded: Sequence[Candidate]) -> Room:
    """Decide what a load needs first.

    Args:
        needed: Bytes that the model will take.
        available: Bytes that are free now.
        most_loaded: Models that may be loaded at one time.
        loaded: Those that are.
    """
    goes = victim(loaded)
    if goes is None:
        return Room("load" if needed <= available else "refuse")
    if len(loaded) >= most_loaded or needed > available * SHARE_BESIDE_OTHERS:
        return Room("evict", goes.key)
    return Room("load")
