"""The rest of a stream, handed on by an actor that need not run for it.

An actor between two others, which answers a stream by another one's items, would be woken for each
of them: a turn of the event loop and all its generators. A handler that yields a `Relay` has its
items pass as they come, each through a function, in the turn in which it arrived.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, TypeVar, cast

from actorllm.actors.kernel.ports import Pipe
from actorllm.actors.kernel.ref import Items
from actorllm.protocol.codec import Message, decode, encode

__all__ = ["Relay", "feed"]

R = TypeVar("R", bound=Message)


class Relay(Generic[R]):
    """What a handler yields instead of the items that are still to come of another stream.

    When it is resumed the other stream has ended; `check` then raises what broke it. How far the
    producer may be ahead is what both windows allow.

    Args:
        items: The other stream.
        turn: Makes an item for the reader of each item; it must not wait.
    """

    __slots__ = ("_error", "_outlet", "_source", "_turn")

    def __init__(self, items: Items[R], turn: Callable[[R], Message]) -> None:
        self._source = items.pipe
        self._turn = turn
        self._outlet: Pipe | None = None
        self._error: Exception | None = None

    def check(self) -> None:
        """Raise what ended the relay early.

        Raises:
            Refused: The other stream was refused.
            KernelError: It broke.
            Exception: `turn` raised it.
        """
        error, self._error = self._error, None
        if error is not None:
            raise error

    async def run(self, outlet: Pipe) -> None:
        """Hand on until the other stream has ended."""
        source = self._source
        self._outlet = outlet
        source.on_push = self._hand_on
        try:
            while await source.wait_item() and self._error is None:
                await outlet.wait_credit()
                outlet.push(self._turned(source.take()))
        except Exception as e:  # noqa: BLE001 -- it is the handler's to take, which runs elsewhere
            self._error = e
        finally:
            source.on_push = None

    def _hand_on(self, frame: bytes) -> None:
        """Take a frame in the turn of whoever brings it; what goes wrong here is not his fault."""
        source, outlet = self._source, self._outlet
        assert outlet is not None
        if source.items or outlet.credit <= 0:
            source.keep(frame)
            return
        try:
            turned = self._turned(frame)
        except Exception as e:  # noqa: BLE001 -- as above
            self._error = e
            source.keep(frame)
            return
        outlet.push(turned)
        source.consumed()

    def _turned(self, frame: bytes) -> bytes:
        return encode(self._turn(cast("R", decode(frame))))


async def feed(pipe: Pipe, items: AsyncIterator[Message | Relay[Any]]) -> None:
    """Push items, as fast as credit allows, until they end or the consumer has left."""
    relay: Relay[Any] | None = None
    async for item in items:
        if relay is not None:
            relay.check()  # whoever has not asked must not take a broken stream for a whole one
        if pipe.left:  # when it left, this task was about to run: no cancellation has come
            return
        if isinstance(item, Relay):
            relay = item
            await item.run(pipe)
            continue
        pipe.push(encode(item))
        if pipe.credit <= 0:
            await pipe.wait_credit()
    if relay is not None:
        relay.check()
