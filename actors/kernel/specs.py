"""What a supervisor knows of a child before it exists."""

import enum
from collections.abc import Callable

import attrs

from actorllm.actors.kernel.actor import Actor

__all__ = ["Backoff", "ChildSpec", "Intensity", "Restart", "Strategy"]


class Restart(enum.Enum):
    """When a child that ended is started again."""

    PERMANENT = "permanent"
    """Always."""
    TRANSIENT = "transient"
    """After a failure only."""
    TEMPORARY = "temporary"
    """Never."""


class Strategy(enum.Enum):
    """Who else is restarted with a child that failed."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


@attrs.frozen
class Intensity:
    """More than `restarts` within `seconds`: the supervisor gives up."""

    restarts: int = 5
    seconds: float = 30.0


@attrs.frozen
class Backoff:
    """Waits before restarts: doubled each time up to a cap, then spread by ±`jitter`."""

    first: float = 0.05
    """Seconds before the first restart of a series."""
    cap: float = 5.0
    jitter: float = 0.2
    """Share of the wait."""

    def delay(self, restarts: int, random: float) -> float:
        """Seconds before restart number `restarts` (from 1); `random` is in [0, 1)."""
        wait = min(self.cap, self.first * 2.0 ** min(restarts - 1, 32))
        return wait * (1 + self.jitter * (2 * random - 1))


@attrs.frozen
class ChildSpec:
    """A child: how it starts, ends and comes back."""

    id: str
    """Last part of its path: letters, digits, `-`, `_`, `.`."""
    start: Callable[[], Actor]
    """Makes a fresh behaviour for each incarnation."""
    restart: Restart = Restart.PERMANENT
    shutdown: float = 5.0
    """Seconds that it has to stop before it is cancelled; 0: cancelled at once (brutal)."""
    start_timeout: float = 30.0
    """Seconds that `started` may take."""
    kind: str = "worker"
    """For the eye: worker, supervisor or process."""
    max_messages: int = 1024
    """Bound of the mailbox."""
    max_bytes: int = 64 * 1024 * 1024
    """Bound of the mailbox."""
    max_running: int = 1024
    """Bound of its streams and concurrent handlers."""
