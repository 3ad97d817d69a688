"""The rest of a stream, handed on by an actor that need not run for it.

An actor between two others, which answers a stream by another one's items, would be woken for each
of them: a turn of the event loop and all its generators. A handler that yields a `Relay` has its
items pass as they come, each through a function, in the turn in which it arrived.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, TypeVar

import trio

from actorllm.actors.kernel.ports import Pipe
from actorllm.actors.kernel.ref import Items
from actorllm.protocol.codec import Message, encode

__all__ = ["Relay", "feed"]

R = TypeVar("R", bound=Message)


class Relay(Generic[R]):
    """What a handler yields instead of the items that are still to come of another stream.

    When it is resumed the other stream has ended; `check` then raises what broke it.

    Args:
        items: The other stream.
        turn: Makes an item for the reader of each item; it must not wait.
    """

    __slots__ = ("_error", "_items", "_turn")

    def __init__(self, items: Items[R], turn: Callable[[R], Message]) -> None:
        self._items = items
        self._turn = turn
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
        try:
            await self._items.pour(outlet, lambda item: encode(self._turn(item)))
        except Exception as e:  # noqa: BLE001 -- it is the handler's to take, which runs elsewhere
            self._error = e


async def feed(pipe: Pipe, items: AsyncIterator[Message | Relay[Any]]) -> None:
    """Push items, as fast as credit allows, until they end or the consumer has left."""
    relay: Relay[Any] | None = None
    pushed = 0
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
        pushed += 1
        if pipe.credit <= 0:
            await pipe.wait_credit()
        elif pushed % pipe.window == 0:  # a consumer that takes all at once must not starve others
            await trio.lowlevel.checkpoint()
    if relay is not None:
        relay.check()
