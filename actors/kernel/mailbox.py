"""Bounded mailboxes with a control lane."""

import enum
from collections import deque

import attrs
import trio

from actorllm.actors.kernel.errors import MailboxFull
from actorllm.actors.kernel.ports import Pipe, Promise

__all__ = ["End", "Envelope", "Kind", "Mailbox", "Signal", "Stop"]


class Kind(enum.IntEnum):
    """What an envelope wants back."""

    TELL = 0
    ASK = 1
    STREAM = 2


@attrs.define(slots=True, eq=False)
class Envelope:
    """A message on its way."""

    id: int
    kind: Kind
    tag: str
    """Tag of the message class: for tables, traces and fault plans."""
    frame: bytes
    """The encoded message."""
    deadline: float
    """On the clock of the run, seconds; infinity for none."""
    trace: str
    port: Promise | Pipe | None
    sent_at: float

    @property
    def size(self) -> int:
        return len(self.frame)


class Signal:
    """What the kernel says to an actor: read before any message."""

    __slots__ = ()


class Stop(Signal):
    """End yourself: the supervisor asks for it."""


class End(Signal):
    """Leave the message loop: the actor itself asks for it."""


class Mailbox:
    """A queue of envelopes for one reader, bounded in messages and in bytes.

    The control lane is unbounded by type but not in fact: a stop, one signal for each child and
    one for each monitor.
    """

    __slots__ = ("_control", "_max_bytes", "_max_messages", "_messages", "_wake", "bytes")

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._messages: deque[Envelope] = deque()
        self._control: deque[Signal | Envelope] = deque()
        self._wake: trio.Event | None = None
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, envelope: Envelope) -> None:
        """Append a message.

        Raises:
            MailboxFull: At once, if it has no place.
        """
        if len(self._messages) >= self._max_messages:
            raise MailboxFull(f"mailbox full: {self._max_messages} messages wait")
        if self.bytes + envelope.size > self._max_bytes and self._messages:
            raise MailboxFull(f"mailbox full: {self.bytes} bytes wait")
        self._messages.append(envelope)
        self.bytes += envelope.size
        self._notify()

    def put_control(self, signal: Signal | Envelope) -> None:
        """Append to the control lane."""
        self._control.append(signal)
        self._notify()

    def _notify(self) -> None:
        if self._wake is not None:
            self._wake.set()

    async def get(self) -> Signal | Envelope:
        """Wait for what comes next; the control lane comes first."""
        await trio.lowlevel.checkpoint()
        while not (self._control or self._messages):
            self._wake = trio.Event()
            await self._wake.wait()
            self._wake = None
        if self._control:
            return self._control.popleft()
        envelope = self._messages.popleft()
        self.bytes -= envelope.size
        return envelope

    def drain(self) -> list[Envelope]:
        """Take all messages; signals are forgotten."""
        messages = [s for s in self._control if isinstance(s, Envelope)] + list(self._messages)
        self._messages.clear()
        self._control.clear()
        self.bytes = 0
        return messages

    def oldest_age(self, now: float) -> float:
        """Seconds that the oldest message has waited; 0 if none waits."""
        return now - self._messages[0].sent_at if self._messages else 0.0
