"""The base of actors that carry a blob: all who want it follow, and without them it ends."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import trio

from actorllm.actors.kernel import Actor
from actorllm.protocol.errors import Problem, Refused
from actorllm.protocol.messages.transfers import FollowTransfer, TransferProgress

__all__ = ["Transfer", "storage_problem"]

_TICK: Final = 0.06
"""Seconds between two reports."""
_LINGER: Final = 1.0
"""Seconds that it goes on without followers: one may just be coming."""


def storage_problem(error: Refused | OSError) -> Problem:
    """Say what was refused, or what is wrong with the disk: no crash, which would not mend it."""
    if isinstance(error, Refused):
        return error.problem
    reason = error.strerror or "input or output failed"
    return Problem(500, f"the model store cannot be used: {reason}; see to its disk and try again")


class Transfer(Actor):
    """Carries a blob once, for all who follow.

    Args:
        total: Bytes.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._followers = 0
        self._joined = trio.Event()
        self._left = trio.Event()
        self._news = trio.Event()
        self._over = trio.Event()
        self._trouble = ""
        self._found: str | None = None
        self._problem: Problem | None = None

    @abstractmethod
    async def work(self) -> str:
        """Carry it; returns the digest of what was carried. May raise `Refused`."""

    @property
    @abstractmethod
    def completed(self) -> int:
        """Bytes."""

    def changed(self) -> None:
        """Tell the followers that `completed` has changed."""
        news, self._news = self._news, trio.Event()
        news.set()

    def troubled(self, text: str) -> None:
        """Tell the followers, and the log, what has gone wrong for now."""
        self.ctx.log.warning("trying again", reason=text)
        self._trouble = text
        self.changed()

    async def started(self) -> None:
        self.ctx.run(self._carry)
        self.ctx.run(self._end_without_followers)

    async def _carry(self) -> None:
        try:
            self._found = await self.work()
        except (Refused, OSError) as e:
            self._problem = storage_problem(e)
        self._over.set()
        self.changed()

    async def _end_without_followers(self) -> None:
        while True:
            with trio.move_on_after(_LINGER):
                await self._joined.wait()
            if not self._followers:
                self.ctx.end()
                return
            while self._followers:
                self._left = trio.Event()
                await self._left.wait()
            if self._over.is_set():
                self.ctx.end()
                return
            self._joined = trio.Event()

    async def follow(self, m: FollowTransfer) -> AsyncIterator[TransferProgress]:
        """Report until it is over; refused where the transfer is."""
        told = self._trouble if self._followers else ""  # who comes later hears of what is new
        self._followers += 1
        self._joined.set()
        try:
            while not self._over.is_set():
                news = self._news
                trouble = "" if self._trouble == told else self._trouble
                told = self._trouble
                yield TransferProgress(self._total, self.completed, trouble=trouble)
                await news.wait()
                with trio.move_on_after(_TICK):
                    await self._over.wait()
            if self._problem is not None:
                raise Refused(self._problem)
            yield TransferProgress(self._total, self.completed, self._found)
        finally:
            self._followers -= 1
            self._left.set()

    def info(self) -> Mapping[str, Any]:
        return {
            "followers": self._followers,
            "total": self._total,
            "completed": self.completed,
        }
