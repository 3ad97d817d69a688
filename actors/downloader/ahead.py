"""The blobs of one model, several on their way at once, told as one sequence."""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing, suppress
from typing import Final

import trio

from actorllm.actors.downloader.parts import LEAST_PART
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import Layer
from actorllm.protocol.messages.transfers import TransferProgress

__all__ = ["Ahead", "Follow", "Run", "lanes_of"]

Follow = Callable[[Layer], AsyncGenerator[TransferProgress, None]]
"""Carries a blob and says how far it has come. Who follows one that is on its way shares it."""

Run = Callable[..., None]
"""Runs a task beside its caller, with arguments."""

_AT_ONCE: Final = 4


def lanes_of(layers: Sequence[Layer]) -> int:
    """Return how many of these blobs share the connections of one model at a time.

    Small ones do with a single connection each, and do not count.
    """
    return max(1, min(_AT_ONCE, sum(layer.size > LEAST_PART for layer in layers)))


class Ahead:
    """Carries some blobs before it is their turn to be followed.

    Tasks beside the one who follows, instead of a nursery: a generator must not yield within one.

    Args:
        run: Runs a task beside its caller.
        follow: Carries a blob.
        layers: All that are to be carried, in the order in which they will be followed.
    """

    def __init__(self, run: Run, follow: Follow, layers: Sequence[Layer]) -> None:
        self._run = run
        self._follow = follow
        self._waiting = dict.fromkeys(layers)
        self._news: dict[Layer, TransferProgress] = {}
        self._followed: set[Layer] = set()
        """Whose steps are told by `follow` itself."""
        self._done: dict[Layer, TransferProgress] = {}
        self._lanes = min(_AT_ONCE, len(layers)) - 1
        """Those that are still to be begun."""
        self._scopes: list[trio.CancelScope] = []

    def _begin(self) -> None:
        while self._lanes > 0:
            self._lanes -= 1
            self._scopes.append(trio.CancelScope())
            self._run(self._lane, self._scopes[-1])

    async def _lane(self, scope: trio.CancelScope) -> None:
        with scope:
            while self._waiting:
                layer = next(iter(self._waiting))
                del self._waiting[layer]
                # What fails is tried once more when it is its turn, and told then.
                with suppress(Refused):
                    await self._carry(layer)

    async def _carry(self, layer: Layer) -> None:
        async with aclosing(self._follow(layer)) as items:
            async for progress in items:
                if progress.found is not None:
                    self._done[layer] = progress
                if layer not in self._followed:
                    self._news[layer] = progress

    async def follow(self, layer: Layer) -> AsyncGenerator[tuple[Layer, TransferProgress], None]:
        """Follow a blob until it is there; between its steps come those of others.

        Raises:
            Refused: It cannot be carried.
        """
        self._waiting.pop(layer, None)
        self._news.pop(layer, None)
        self._followed.add(layer)
        if layer in self._done:
            yield layer, self._done[layer]
            return
        async with aclosing(self._follow(layer)) as items:
            async for progress in items:
                yield layer, progress
                if progress.completed or progress.found:
                    self._begin()  # not before: a wrong password is not tried four times
                for one in self._told():
                    yield one

    def _told(self) -> Iterable[tuple[Layer, TransferProgress]]:
        news, self._news = self._news, {}
        return news.items()

    def close(self) -> None:
        """Leave those that are on their way."""
        for scope in self._scopes:
            scope.cancel()
