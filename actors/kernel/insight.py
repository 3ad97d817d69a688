"""What can be seen of a running system: the live tree, its counters and its dead letters."""

from collections import deque
from typing import Any

import attrs

from actorllm.protocol.codec import Value, message

__all__ = ["ActorSnapshot", "Counters", "DeadLetter", "DeadLetters", "NodeSnapshot"]

_DEAD_LETTERS_KEPT = 32


@message
class ActorSnapshot(Value):
    """An actor at one moment. Times in seconds."""

    path: str
    kind: str
    """worker, supervisor or process."""
    state: str
    """starting, running, stopping, restarting or dead."""
    incarnation: int
    restarts: int
    """How often its supervisor has started it again."""
    queue: int
    """Messages that wait."""
    queue_bytes: int
    oldest_age: float
    """How long the oldest message has waited."""
    running: int
    """Streams and concurrent handlers that run."""
    handled: int
    """Messages taken up since it was started."""
    busy: float
    """Time spent in handlers one at a time, since it was started."""
    last_exit: str = ""
    """Why the incarnation before ended, if there was one."""
    info: dict[str, Any] = attrs.field(factory=dict)
    """Facts of its own."""
    children: tuple["ActorSnapshot", ...] = ()


@message
class DeadLetter(Value):
    """A message that nobody received."""

    path: str
    tag: str
    reason: str


@message
class Counters(Value):
    """Sums over all actors of a process since it started."""

    sent: int = 0
    handled: int = 0
    refused: int = 0
    """Answers that were refusals."""
    expired: int = 0
    """Questions whose deadline was over before they were taken up."""
    rejected: int = 0
    """Messages that found a mailbox full."""
    late: int = 0
    """Answers that came after the asker had gone."""
    doubled: int = 0
    """Second answers to one question; a defect of the kernel if it ever happens."""
    duplicates: int = 0
    """Envelopes that arrived a second time and were dropped."""
    crashes: int = 0
    restarts: int = 0
    dead_letters: int = 0


@message
class NodeSnapshot(Value):
    """A whole system at one moment."""

    name: str
    uptime: float
    counters: Counters
    dead_letters: tuple[DeadLetter, ...]
    """The newest ones."""
    root: ActorSnapshot | None
    faults: str = ""
    """The fault plan that is active, if one is."""


class DeadLetters:
    """Counts lost messages and keeps the newest."""

    def __init__(self) -> None:
        self.count = 0
        self.newest: deque[DeadLetter] = deque(maxlen=_DEAD_LETTERS_KEPT)

    def add(self, letter: DeadLetter) -> None:
        self.count += 1
        self.newest.append(letter)
