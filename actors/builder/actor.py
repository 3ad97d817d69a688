"""The builder actor: creations, a few at a time, one for each name.

A model that another one is built on is pulled first where it is missing.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import trio

from actorllm.actors.builder.carry_out import Creation
from actorllm.actors.builder.templates import template_problem
from actorllm.actors.kernel import Actor
from actorllm.actors.library.catalog import Catalog
from actorllm.actors.library.pinning import tidied
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.building import Create, CreateStatus
from actorllm.protocol.messages.transfers import Pull

__all__ = ["BuilderActor"]

_AT_ONCE: Final = 2
_MAX_OPEN: Final = 32
"""Creations that run or wait."""
_PULLED: Final = "success"
"""Last step of a pull; here it is not the last one."""


class BuilderActor(Actor):
    """Makes models.

    Args:
        catalog: Gets them.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._slots = trio.CapacityLimiter(_AT_ONCE)
        self._threads = trio.CapacityLimiter(_AT_ONCE)
        self._names: dict[tuple[str, ...], _Turn] = {}
        self._open = 0

    async def create(self, m: Create) -> AsyncIterator[CreateStatus]:
        """Refused with 503 while too many are made; else see `Creation`."""
        creation = Creation(self._catalog, template_problem, m)
        if self._open >= _MAX_OPEN:
            raise Refused.because(
                503, f"{_MAX_OPEN} models are being created already; try again", retry_after=5
            )
        async with self._turn(creation.name.folded()):
            base = await trio.to_thread.run_sync(creation.missing_base, limiter=self._threads)
            if base is not None:
                async with self.ctx.ref("/downloader").stream(Pull(base)) as pulled:
                    async for step in pulled:
                        if step.status != _PULLED:
                            yield step
            steps = creation.steps()
            try:
                while (status := await self._next(steps)) is not None:
                    yield status
            finally:  # it ends its process and sweeps what it stored
                await tidied(steps.close)

    async def _next(self, steps: Iterator[CreateStatus]) -> CreateStatus | None:
        return await trio.to_thread.run_sync(next, steps, None, limiter=self._threads)

    @asynccontextmanager
    async def _turn(self, name: tuple[str, ...]) -> AsyncIterator[None]:
        """Wait until no other creation has this name, then for a slot."""
        turn = self._names.setdefault(name, _Turn())
        turn.waiting += 1
        self._open += 1
        try:
            async with turn.lock, self._slots:
                yield
        finally:
            self._open -= 1
            turn.waiting -= 1
            if not turn.waiting:
                del self._names[name]

    def info(self) -> Mapping[str, Any]:
        return {"running": self._slots.borrowed_tokens, "open": self._open}


class _Turn:
    """The creations of one name."""

    def __init__(self) -> None:
        self.lock = trio.Lock()
        self.waiting = 0
