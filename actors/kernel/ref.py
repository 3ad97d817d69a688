"""References: how one actor speaks to another, in this process or in a child process.

Sending is decided at once: a dead target, a full mailbox and a message that cannot be encoded are
known before the call returns.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Generic, TypeVar, cast

import trio

from actorllm.actors.kernel.errors import ActorDied, AskTimeout
from actorllm.actors.kernel.mailbox import Kind
from actorllm.actors.kernel.ports import Outlet, Pipe, Promise
from actorllm.protocol.codec import Ask, Stream, Tell, decode, encode

if TYPE_CHECKING:
    from actorllm.actors.kernel.node import Node

__all__ = ["Items", "Ref"]

R = TypeVar("R")

OPEN_TIMEOUT = 30.0
"""Seconds within which the target must take a stream up."""
DEFAULT_WINDOW = 32
"""Items that a producer may be ahead."""


class Items(Generic[R]):
    """The consumer's end of a stream: an async iterator of decoded items."""

    __slots__ = ("_open_timeout", "_path", "pipe")

    def __init__(self, pipe: Pipe, path: str, open_timeout: float) -> None:
        self.pipe = pipe
        self._path = path
        self._open_timeout = open_timeout

    def __aiter__(self) -> AsyncIterator[R]:
        return self

    async def __anext__(self) -> R:
        pipe = self.pipe
        if not pipe.opened and not pipe.closed:
            with trio.move_on_after(self._open_timeout) as scope:
                await pipe.wait_open()
            if scope.cancelled_caught:
                raise AskTimeout(f"{self._path} took no stream up in {self._open_timeout:g} s")
        frame = await pipe.next()
        if frame is None:
            raise StopAsyncIteration
        return cast("R", decode(frame))

    async def pour(self, outlet: Outlet, turn: Callable[[R], bytes]) -> None:
        """Push a frame for each item into an outlet; return at the end. See `Pipe.pour`."""
        await self.pipe.pour(outlet, lambda frame: turn(cast("R", decode(frame))))

    def take_ready(self) -> list[R]:
        """Take the items that are there already, without waiting."""
        pipe = self.pipe
        return [cast("R", decode(pipe.take())) for _ in range(len(pipe.items))]


class Ref:
    """A name of an actor, or of one incarnation of it.

    A reference by name means whoever lives there when a message is sent; names survive restarts.
    With an incarnation it means that one alone, and is dead with it.
    """

    __slots__ = ("_node", "incarnation", "path")

    def __init__(self, node: "Node", path: str, incarnation: int | None = None) -> None:
        self._node = node
        self.path = path
        self.incarnation = incarnation

    def __repr__(self) -> str:
        return f"<Ref {self.path}#{self.incarnation or '*'}>"

    @property
    def alive(self) -> bool:
        """Whether a message sent now would reach somebody."""
        return self._node.find(self.path, self.incarnation) is not None

    def tell(self, m: Tell) -> None:
        """Send without an answer. If nobody lives there it becomes a dead letter.

        Raises:
            MailboxFull: The mailbox has no place.
        """
        self._node.post(self.path, self.incarnation, Kind.TELL, m, encode(m), None, None)

    async def ask(self, m: Ask[R], *, timeout: float, again: bool = False) -> R:  # noqa: ASYNC109
        """Send and wait for the answer.

        Args:
            m: The question; its class says the type of the answer.
            timeout: Seconds to wait. The target drops the question when they are over.
            again: The question may safely be asked twice: while the target is restarted, ask again.

        Raises:
            Refused: The target refused.
            AskTimeout: No answer in time.
            ActorDied: The target is dead, or died before it answered.
            MailboxFull: The mailbox has no place.
            BadMessage: The target does not take such a message.
        """
        deadline = trio.current_time() + timeout
        frame = encode(m)
        wait = 0.01
        while True:
            try:
                return await self._ask(m, frame, deadline)
            except ActorDied:
                if not again or trio.current_time() + wait >= deadline:
                    raise
            await trio.sleep(wait)
            wait = min(0.5, wait * 2)

    async def _ask(self, m: Ask[R], frame: bytes, deadline: float) -> R:
        promise = Promise()
        with trio.move_on_at(deadline):
            try:
                self._node.post(self.path, self.incarnation, Kind.ASK, m, frame, promise, deadline)
                return cast("R", decode(await promise.wait()))
            finally:
                promise.abandon()
        raise AskTimeout(f"{self.path} did not answer {type(m).__name__} in time")

    @asynccontextmanager
    async def stream(
        self,
        m: Stream[R],
        *,
        window: int = DEFAULT_WINDOW,
        open_timeout: float = OPEN_TIMEOUT,
    ) -> AsyncIterator[Items[R]]:
        """Open a stream; leaving the block cancels its producer.

        Iteration raises what `ask` raises; a stream that ends well just ends.

        Args:
            m: The request.
            window: Items that the producer may be ahead.
            open_timeout: Seconds within which the target must take the request up.
        """
        pipe = Pipe(window)
        try:
            self._node.post(self.path, self.incarnation, Kind.STREAM, m, encode(m), pipe, None)
            yield Items(pipe, self.path, open_timeout)
        finally:
            pipe.leave()
