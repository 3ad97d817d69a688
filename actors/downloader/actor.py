"""The downloader: a supervisor of fetches, and the pulls that follow them."""

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio

from actorllm.actors.downloader.identity import identity_in
from actorllm.actors.downloader.leftovers import list_partials, prune
from actorllm.actors.downloader.partial import remove_old_partials
from actorllm.actors.downloader.retry import DEFAULT, Policy
from actorllm.actors.downloader.sharing import Transfers
from actorllm.actors.downloader.throttle import Throttle
from actorllm.actors.downloader.transfer import storage_problem
from actorllm.actors.kernel import concurrent
from actorllm.actors.library.catalog import Catalog
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.building import CreateStatus
from actorllm.protocol.messages.transfers import (
    ListPartials,
    PartialList,
    Prune,
    Pruned,
    PublicKey,
    Pull,
    ShowKey,
)
from actorllm.protocol.names import Name, valid_name

if TYPE_CHECKING:
    from actorllm.actors.downloader.source import Source

__all__ = ["Downloader"]

_MAX_PULLS: Final = 64
_THREADS: Final = 8
_OLD: Final = 7 * 24 * 3600.0
"""Seconds after which an unfinished download is given up."""


class Downloader(Transfers):
    """Pulls models. Each blob on its way is a child; pulls that want the same blob share it.

    Args:
        catalog: Gets the models.
        state: Folder of the key of this installation.
        streams: Connections for one blob at a time.
        at_once: Models that are pulled at a time; others wait.
        bandwidth: Bytes for each second of all pulls together.
        mirrors: Registries and where to pull from first: see `Origin.mirrored`.
        max_blob: Bytes that a blob may have.
        prune: Remove what nobody needs any more.
        policy: How patient.
    """

    def __init__(
        self,
        catalog: Catalog,
        state: Path,
        *,
        streams: int = 16,
        at_once: int = 8,
        bandwidth: float = math.inf,
        mirrors: Sequence[tuple[str, str]] = (),
        max_blob: int = 1 << 40,
        prune: bool = True,
        policy: Policy = DEFAULT,
    ) -> None:
        super().__init__()
        self.catalog = catalog
        self.state = state
        self.streams = streams
        self.mirrors = mirrors
        self.max_blob = max_blob
        self.tidies = prune
        self.policy = policy
        self.throttle = Throttle(bandwidth)
        self.threads = trio.CapacityLimiter(_THREADS)
        self._pulls = 0
        self._turns = trio.Semaphore(at_once)

    async def started(self) -> None:
        await super().started()
        if self.tidies:
            await trio.to_thread.run_sync(remove_old_partials, self.catalog.blobs, _OLD)

    async def pull(self, m: Pull) -> AsyncIterator[CreateStatus]:
        """Refused with 400 by the name, 503 while there are too many; else see `Source`."""
        name = valid_name(m.model)
        source = await trio.to_thread.run_sync(_source, self, m, name)
        if self._pulls >= _MAX_PULLS:
            raise Refused.because(
                503, f"{_MAX_PULLS} models are being pulled already; try again", retry_after=5
            )
        self._pulls += 1
        try:
            if not self._turns.value:
                yield CreateStatus("waiting for other pulls")
            async with self._turns, aclosing(source.steps()) as steps:
                async for step in steps:
                    yield step
            self.ctx.log.info("pulled", model=name.full())
        except OSError as e:
            raise Refused(storage_problem(e)) from e
        finally:
            self._pulls -= 1

    @concurrent
    async def list_partials(self, m: ListPartials) -> PartialList:
        store = self.catalog.blobs
        rows = await trio.to_thread.run_sync(list_partials, store, limiter=self.threads)
        return PartialList(rows)

    @concurrent
    async def prune(self, m: Prune) -> Pruned:
        act = partial(prune, self.catalog, older_than=m.older_than, dry_run=m.dry_run)
        pruned = await trio.to_thread.run_sync(act, limiter=self.threads)
        if pruned.count and not m.dry_run:
            self.ctx.log.info("pruned", files=pruned.count, freed=pruned.freed)
        return pruned

    @concurrent
    async def show_key(self, m: ShowKey) -> PublicKey:
        try:
            return PublicKey((await identity_in(self.state)).public)
        except OSError as e:
            raise Refused(storage_problem(e)) from e

    def info(self) -> Mapping[str, Any]:
        return {"pulls": self._pulls}


def _source(downloader: Downloader, m: Pull, name: Name) -> "Source":
    """Return where a pull takes its model from. In a thread: the first one imports much."""
    from actorllm.actors.downloader.source import Source

    return Source(downloader, m, name)
