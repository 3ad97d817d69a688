"""The archives actor: exports, and imports that are each tied to the stream their sender holds open."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, TypeVar

import trio

from actorllm.actors.archives.exporting import Exporting
from actorllm.actors.archives.importing import Importing
from actorllm.actors.kernel import Actor, concurrent
from actorllm.actors.library.catalog import Catalog
from actorllm.actors.library.pinning import pinning, tidied
from actorllm.protocol.errors import Problem, Refused
from actorllm.protocol.messages.archives import (
    Export,
    ExportPart,
    Fed,
    FeedImport,
    FinishImport,
    Import,
    Imported,
    ImportOpened,
)

__all__ = ["ArchivesActor"]

R = TypeVar("R")

_MAX_OPEN: Final = 8
"""Exports and imports at one time."""
_MAX_MODELS: Final = 1024
_MAX_PART: Final = 1024 * 1024
_THREADS: Final = 4


class ArchivesActor(Actor):
    """Writes and reads archives of models.

    Args:
        catalog: The models.
        max_blob: Bytes that a blob may have.
    """

    def __init__(self, catalog: Catalog, max_blob: int) -> None:
        self._catalog = catalog
        self._max_blob = max_blob
        self._threads = trio.CapacityLimiter(_THREADS)
        self._imports: dict[int, _Open] = {}
        self._exports = 0
        self._born = 0

    async def export(self, m: Export) -> AsyncIterator[ExportPart]:
        """See `Exporting`; leaving the stream ends it."""
        if not 0 < len(m.models) <= _MAX_MODELS:
            raise Refused.because(400, f"name 1 to {_MAX_MODELS} models")
        self._check_room()
        self._exports += 1
        try:
            pin = await self._thread(self._catalog.blobs.lock.pin)
            async with pinning(self._catalog, pin):
                exporting = await self._thread(Exporting, self._catalog, m.models, pin)
                yield ExportPart(exporting.total)
                pieces = exporting.pieces()
                while (data := await self._thread(_next, pieces)) is not None:
                    yield ExportPart(exporting.total, data)
            self.ctx.log.info("exported", models=list(m.models[:8]), size=exporting.total)
        finally:
            self._exports -= 1

    async def open_import(self, m: Import) -> AsyncIterator[ImportOpened]:
        """Hold an import open; what is not finished when the stream is left is discarded."""
        self._check_room()
        importing = await self._thread(Importing, self._catalog, self._max_blob, m.name)
        self._born += 1
        id_ = self._born
        opened = self._imports[id_] = _Open(importing)
        try:
            yield ImportOpened(id_)
            await trio.sleep_forever()
        finally:
            del self._imports[id_]
            opened.left = True
            if not opened.busy:
                await tidied(importing.close)

    @concurrent
    async def feed(self, m: FeedImport) -> Fed:
        """Refused with 409 when the import is gone; else see `Importing.feed`."""
        if len(m.data) > _MAX_PART:
            raise Refused.because(413, f"a part may have {_MAX_PART} bytes")
        await self._use(m.id, lambda importing: importing.feed(m.data))
        return Fed()

    @concurrent
    async def finish(self, m: FinishImport) -> Imported:
        """Refused with 409 when the import is gone; else see `Importing.finish`."""
        imported = await self._use(m.id, Importing.finish)
        self.ctx.log.info(
            "imported",
            models=[model.name for model in imported.models[:8]],
            stored=imported.stored,
            reused=imported.reused,
        )
        return imported

    async def _use(self, id_: int, act: Callable[[Importing], R]) -> R:
        """Run a step of an import; if its owner left meanwhile, discard what was written."""
        opened = self._imports.get(id_)
        if opened is None or opened.busy:
            raise Refused.because(409, "this import is not open; begin it again")
        opened.busy = True
        try:
            return await self._thread(act, opened.importing)
        finally:
            opened.busy = False
            if opened.left:
                opened.importing.close()

    def _check_room(self) -> None:
        if self._exports + len(self._imports) >= _MAX_OPEN:
            raise Refused.because(
                503, f"{_MAX_OPEN} exports and imports are open already; try again", retry_after=5
            )

    async def _thread(self, act: Callable[..., R], *args: Any) -> R:
        try:
            return await trio.to_thread.run_sync(partial(act, *args), limiter=self._threads)
        except OSError as e:
            reason = e.strerror or "input or output failed"
            raise Refused(Problem(500, f"the model store cannot be used: {reason}")) from e

    def ended(self, exit_: Any) -> None:
        for opened in self._imports.values():
            opened.importing.close()

    def info(self) -> Mapping[str, Any]:
        return {"exports": self._exports, "imports": len(self._imports)}


class _Open:
    def __init__(self, importing: Importing) -> None:
        self.importing = importing
        self.busy = False
        self.left = False


def _next(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)
