"""The library actor: every question is answered in a thread, a few at a time."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs
import trio

from actorllm.actors.kernel import Actor, concurrent
from actorllm.actors.library.library import Library
from actorllm.protocol.messages.models import (
    CopyModel,
    DeleteModel,
    ListModels,
    ModelCopied,
    ModelDeleted,
    ModelDetails,
    ModelList,
    ResolvedModel,
    ResolveModel,
    ShowModel,
)

__all__ = ["LibraryActor"]

R = TypeVar("R")
M = TypeVar("M")

_THREADS = 4


class LibraryActor(Actor):
    """Lists, shows, resolves, copies and deletes models.

    Args:
        library: What answers.
        prune: Remove at the start what no model refers to.
    """

    def __init__(self, library: Library, *, prune: bool) -> None:
        self._library = library
        self._prune = prune
        self._threads = trio.CapacityLimiter(_THREADS)
        self._writing = trio.CapacityLimiter(1)
        self._unreadable = 0

    async def started(self) -> None:
        if self._prune:
            self.ctx.run(self._collect_garbage)

    async def _collect_garbage(self) -> None:
        try:
            garbage = await self._writing_in_thread(self._library.catalog.collect_garbage)
        except OSError as e:
            self.ctx.log.warning("cannot remove unused files", error=e.strerror)
            return
        if garbage.blobs or garbage.strays or garbage.skipped:
            facts = attrs.asdict(garbage, filter=lambda a, _: a.name != "entries")
            self.ctx.log.info("removed unused files", **facts)

    async def _read(self, answer: Callable[[M], R], m: M) -> R:
        return await trio.to_thread.run_sync(answer, m, limiter=self._threads)

    async def _write(self, answer: Callable[[M], R], m: M) -> R:
        return await self._writing_in_thread(answer, m)

    async def _writing_in_thread(self, act: Callable[..., R], *args: Any) -> R:
        return await trio.to_thread.run_sync(act, *args, limiter=self._writing)

    @concurrent
    async def list_models(self, m: ListModels) -> ModelList:
        found = await self._read(self._library.models, m.known)
        if len(found.unreadable) != self._unreadable:
            self._unreadable = len(found.unreadable)
            self.ctx.log.warning("models that cannot be read", problems=list(found.unreadable)[:8])
        return found

    @concurrent
    async def show(self, m: ShowModel) -> ModelDetails:
        return await self._read(self._library.show, m)

    @concurrent
    async def resolve(self, m: ResolveModel) -> ResolvedModel:
        return await self._read(self._library.resolve, m)

    @concurrent
    async def copy(self, m: CopyModel) -> ModelCopied:
        return await self._write(self._library.copy, m)

    @concurrent
    async def delete(self, m: DeleteModel) -> ModelDeleted:
        return await self._write(self._library.delete, m)

    def info(self) -> Mapping[str, Any]:
        return {"unreadable": self._unreadable}
