"""Where answers go: a promise for an ask, a pipe for a stream.

Both are one-way valves with hooks. Within a process the asker waits on the object itself; across
a process border the bridge sets the hooks and turns calls into transport frames. All methods but
those that wait are synchronous, so that cleanup can never be cut short by a cancellation.
"""

from collections import deque
from collections.abc import Callable
from typing import Literal, Protocol

import trio

from actorllm.actors.kernel.errors import (
    ActorDied,
    AskTimeout,
    BadMessage,
    MailboxFull,
)
from actorllm.actors.kernel.exits import Exit
from actorllm.protocol.codec import Value, message
from actorllm.protocol.errors import Problem, Refused

__all__ = ["Failure", "Outlet", "Pipe", "Promise", "fail_port", "failure_of"]


@message
class Failure(Value):
    """An answer that is not there, in a form that can travel."""

    kind: Literal["refused", "died", "timeout", "full", "bad"]
    text: str = ""
    problem: Problem | None = None
    path: str = ""
    exit: Exit | None = None

    def error(self) -> Exception:
        """The exception that the asker sees."""
        if self.kind == "refused" and self.problem is not None:
            return Refused(self.problem)
        if self.kind == "died" and self.exit is not None:
            return ActorDied(self.path, self.exit)
        if self.kind == "timeout":
            return AskTimeout(self.text)
        if self.kind == "full":
            return MailboxFull(self.text)
        return BadMessage(self.text)


def failure_of(error: Exception) -> Failure:
    """Turn an error between actors into an answer; the inverse of `Failure.error`."""
    if isinstance(error, Refused):
        return Failure("refused", problem=error.problem)
    if isinstance(error, ActorDied):
        return Failure("died", path=error.path, exit=error.exit)
    if isinstance(error, AskTimeout):
        return Failure("timeout", str(error))
    if isinstance(error, MailboxFull):
        return Failure("full", str(error))
    return Failure("bad", str(error))


class Promise:
    """The one answer to an ask. The first settlement counts; later ones are told apart."""

    __slots__ = ("_event", "abandoned", "failure", "frame", "on_settle", "settled")

    def __init__(self) -> None:
        self.settled = False
        self.frame = b""
        self.failure: Failure | None = None
        self.abandoned = False
        self.on_settle: Callable[[Promise], None] | None = None
        self._event: trio.Event | None = None

    def resolve(self, frame: bytes) -> bool:
        """Answer. Returns whether this was the first settlement."""
        return self._settle(frame, None)

    def fail(self, failure: Failure) -> bool:
        """Say that there is no answer. Returns whether this was the first settlement."""
        return self._settle(b"", failure)

    def _settle(self, frame: bytes, failure: Failure | None) -> bool:
        if self.settled:
            return False
        self.settled = True
        self.frame = frame
        self.failure = failure
        if self._event is not None:
            self._event.set()
        if self.on_settle is not None:
            self.on_settle(self)
        return True

    def abandon(self) -> None:
        """Nobody waits any more; an answer that comes later is dropped."""
        if not self.settled:
            self.settled = True
            self.abandoned = True

    async def wait(self) -> bytes:
        """Wait for the answer's frame.

        Raises:
            Refused: The target refused.
            KernelError: There is no answer.
        """
        if not self.settled:
            self._event = trio.Event()
            await self._event.wait()
        if self.failure is not None:
            raise self.failure.error()
        return self.frame


class Outlet(Protocol):
    """Where frames go under credit: the producer's end of a pipe, and whatever stands for one."""

    @property
    def credit(self) -> int:
        """Frames that may be pushed now."""

    async def wait_credit(self) -> None:
        """Wait until a frame may be pushed."""

    def push(self, frame: bytes) -> None:
        """Hand a frame on, without waiting."""


class Pipe:
    """Items of a stream, under a credit window.

    The producer waits for credit, pushes a frame for each item and closes once. The consumer
    grants the window at first and again whenever half of it has been consumed. `leave` is the
    consumer's end: nothing is accepted after it, and the producer is told through `on_leave`.
    """

    __slots__ = (
        "_consumed",
        "_consumer",
        "_credit",
        "_opened",
        "_producer",
        "closed",
        "failure",
        "items",
        "left",
        "on_close",
        "on_grant",
        "on_leave",
        "on_open",
        "on_push",
        "window",
    )

    def __init__(self, window: int) -> None:
        self.window = window
        self.items: deque[bytes] = deque()
        self.closed = False
        self.left = False
        self.failure: Failure | None = None
        self.on_open: Callable[[], None] | None = None
        self.on_push: Callable[[bytes], None] | None = None
        self.on_close: Callable[[Failure | None], None] | None = None
        self.on_grant: Callable[[int], None] | None = None
        self.on_leave: Callable[[], None] | None = None
        self._credit = window
        self._consumed = 0
        self._opened = False
        self._consumer: trio.Event | None = None
        self._producer: trio.Event | None = None

    # The producer's end

    @property
    def credit(self) -> int:
        """Items that may be pushed now."""
        return self._credit

    def open(self) -> None:
        """Tell the consumer that its request was taken up."""
        if self._opened:
            return
        self._opened = True
        if self.on_open is not None:
            self.on_open()
        self._wake_consumer()

    async def wait_credit(self) -> None:
        """Wait until an item may be pushed."""
        while self._credit <= 0:
            self._producer = trio.Event()
            await self._producer.wait()

    def push(self, frame: bytes) -> None:
        """Hand an item on. Items after the end are dropped: nobody waits for them."""
        if self.closed or self.left:
            return
        self._credit -= 1
        if self.on_push is not None:
            self.on_push(frame)
        else:
            self.keep(frame)

    def keep(self, frame: bytes) -> None:
        """Let an item wait for the consumer."""
        self.items.append(frame)
        self._wake_consumer()

    def close(self, failure: Failure | None = None) -> bool:
        """End the stream, well (None) or not. Returns whether it was open."""
        if self.closed:
            return False
        self.closed = True
        self.failure = failure
        if self.on_close is not None and not self.left:
            self.on_close(failure)
        self._wake_consumer()
        return True

    # The consumer's end

    @property
    def opened(self) -> bool:
        return self._opened

    async def wait_open(self) -> None:
        """Wait until the request was taken up or the stream has ended."""
        while not (self._opened or self.items or self.closed):
            await self._wait_news()

    async def next(self) -> bytes | None:
        """Wait for an item's frame; None at the end.

        Raises:
            Refused: The target refused.
            KernelError: The stream broke.
        """
        return self.take() if await self.wait_item() else None

    async def wait_item(self) -> bool:
        """Wait until there is an item; false at the end. Raises what `next` does."""
        while not self.items:
            if self._has_ended():
                return False
            await self._wait_news()
        return True

    async def pour(self, outlet: Outlet, turn: Callable[[bytes], bytes]) -> None:
        """Push all that comes into an outlet, in the turn in which it comes; return at the end.

        The task that waits here runs only when the outlet has no credit, and at the end.

        Args:
            outlet: How far the producer may be ahead is what both windows allow.
            turn: Makes the outlet's frame of each item's; it must not wait.

        Raises:
            Exception: What `next` raises, and what `turn` or the outlet raised; whoever brings an
                item is not told of that.
        """
        broken: Exception | None = None

        def pass_on(frame: bytes) -> None:
            nonlocal broken
            if self.items or broken is not None or outlet.credit <= 0:
                self.keep(frame)
                return
            try:
                outlet.push(turn(frame))
            except Exception as e:  # noqa: BLE001 -- raised again below
                broken = e
            else:
                self.consumed()
            if broken is not None or outlet.credit <= 0:
                self._wake_consumer()

        self.on_push = pass_on
        try:
            while True:
                await outlet.wait_credit()
                if broken is not None:
                    raise broken
                if self.items:
                    outlet.push(turn(self.take()))
                elif self._has_ended():
                    return
                else:
                    await self._wait_news()
        finally:
            self.on_push = None

    def _has_ended(self) -> bool:
        """Whether nothing will come; raises what `next` does."""
        if self.closed and self.failure is not None:
            raise self.failure.error()
        return self.closed

    async def _wait_news(self) -> None:
        self._consumer = trio.Event()
        await self._consumer.wait()

    def take(self) -> bytes:
        """Take an item that is there."""
        frame = self.items.popleft()
        self.consumed()
        return frame

    def consumed(self) -> None:
        """Note that an item was taken, and grant others when it is time."""
        self._consumed += 1
        if self._consumed * 2 >= self.window:
            granted, self._consumed = self._consumed, 0
            self.grant(granted)

    def grant(self, count: int) -> None:
        """Allow the producer `count` items more."""
        if self.on_grant is not None and not self.closed:
            self.on_grant(count)
            return
        self._credit += count
        if self._producer is not None:
            self._producer.set()

    def leave(self) -> None:
        """Want no more; the producer is cancelled."""
        if self.left:
            return
        self.left = True
        self.items.clear()
        if not self.closed:
            self.closed = True
            if self.on_leave is not None:
                self.on_leave()

    def _wake_consumer(self) -> None:
        if self._consumer is not None:
            self._consumer.set()


def fail_port(port: Promise | Pipe | None, failure: Failure) -> None:
    """Tell whoever waits at a port, if it wants an answer at all, that there is none."""
    if isinstance(port, Promise):
        port.fail(failure)
    elif port is not None:
        port.close(failure)
