"""The downloader: a supervisor of fetches, and the pulls that follow them."""

import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, Final

import trio

from actorllm.actors.downloader.authority import Authority
from actorllm.actors.downloader.fetch import Fetch
from actorllm.actors.downloader.identity import Identity, load_identity
from actorllm.actors.downloader.leftovers import list_partials, prune
from actorllm.actors.downloader.origin import Origin
from actorllm.actors.downloader.partial import remove_old_partials
from actorllm.actors.downloader.pulling import Pulling
from actorllm.actors.downloader.registry import Registry
from actorllm.actors.downloader.retry import DEFAULT, Policy
from actorllm.actors.downloader.sharing import Transfers
from actorllm.actors.downloader.throttle import Throttle
from actorllm.actors.downloader.transfer import storage_problem
from actorllm.actors.kernel import concurrent
from actorllm.actors.library.catalog import Catalog
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import Layer
from actorllm.protocol.messages.building import CreateStatus
from actorllm.protocol.messages.transfers import (
    ListPartials,
    PartialList,
    Prune,
    Pruned,
    PublicKey,
    Pull,
    ShowKey,
    TransferProgress,
)
from actorllm.protocol.names import Name, valid_name

__all__ = ["Downloader"]

_MAX_PULLS: Final = 64
_THREADS: Final = 8
_OURS: Final = frozenset({400, 409, 507})
"""Statuses of refusals that another registry would not mend."""
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
        self._catalog = catalog
        self._state = state
        self._streams = streams
        self._mirrors = mirrors
        self._max_blob = max_blob
        self._prune = prune
        self._policy = policy
        self._pulls = 0
        self._turns = trio.Semaphore(at_once)
        self._throttle = Throttle(bandwidth)
        self._threads = trio.CapacityLimiter(_THREADS)

    async def started(self) -> None:
        await super().started()
        if self._prune:
            await trio.to_thread.run_sync(remove_old_partials, self._catalog.blobs, _OLD)
        try:
            await self._identity()  # made at the first start
        except (Refused, OSError) as e:
            self.ctx.log.warning("no key", problem=storage_problem(e).text)

    async def pull(self, m: Pull) -> AsyncIterator[CreateStatus]:
        """Refused with 400 by the name, 503 while there are too many; else see `Pulling`."""
        name = valid_name(m.model)
        origin = Origin.of(name, insecure=m.insecure)
        if self._pulls >= _MAX_PULLS:
            raise Refused.because(
                503, f"{_MAX_PULLS} models are being pulled already; try again", retry_after=5
            )
        self._pulls += 1
        try:
            if not self._turns.value:
                yield CreateStatus("waiting for other pulls")
            async with self._turns, aclosing(self._steps(m, name, origin)) as steps:
                async for step in steps:
                    yield step
            self.ctx.log.info("pulled", model=name.full())
        except OSError as e:
            raise Refused(storage_problem(e)) from e
        finally:
            self._pulls -= 1

    async def _steps(
        self, m: Pull, name: Name, origin: Origin
    ) -> AsyncGenerator[CreateStatus, None]:
        """Pull from the mirror if there is one; from the registry itself if that fails."""
        mirror = origin.mirrored(self._mirrors)
        if mirror is not None:
            # Name and password are for the registry that the user has named.
            authority = Authority(mirror, self._identity)
            try:
                async with aclosing(self._pull_from(name, mirror, authority)) as steps:
                    async for step in steps:
                        yield step
            except Refused as e:
                if e.problem.status in _OURS:
                    raise
                why = f"mirror {mirror.host} failed: {e.problem.text}"
                self.ctx.log.warning("mirror failed", model=name.full(), reason=why)
                yield CreateStatus(f"{why}; pulling from {origin.host}")
            else:
                return
        authority = Authority(origin, self._identity, m.username, m.password)
        async with aclosing(self._pull_from(name, origin, authority)) as steps:
            async for step in steps:
                yield step

    async def _pull_from(
        self, name: Name, origin: Origin, authority: Authority
    ) -> AsyncGenerator[CreateStatus, None]:
        connect = partial(Registry, origin, authority, streams=self._streams, policy=self._policy)
        async with connect() as registry:
            pulling = Pulling(
                self._catalog,
                name,
                registry,
                partial(self._follow, connect, name.full()),
                run=self.ctx.run,
                max_blob=self._max_blob,
                prune=self._prune,
                threads=self._threads,
            )
            async with aclosing(pulling.steps()) as steps:
                async for step in steps:
                    yield step

    async def _identity(self) -> Identity:
        return await trio.to_thread.run_sync(load_identity, self._state)

    def _follow(
        self,
        connect: Callable[[], Registry],
        model: str,
        layer: Layer,
        *,
        lanes: int,
        urls: Mapping[str, str],
    ) -> AsyncGenerator[TransferProgress, None]:
        """Follow the fetch of a blob; begin it if nobody has."""
        make = partial(
            Fetch,
            self._catalog.blobs,
            layer,
            connect,
            streams=max(1, self._streams // lanes),
            throttle=self._throttle,
            model=model,
            url=urls.get(layer.digest),
        )
        return self.share(layer.digest.removeprefix("sha256:"), make, layer.digest)

    @concurrent
    async def list_partials(self, m: ListPartials) -> PartialList:
        store = self._catalog.blobs
        rows = await trio.to_thread.run_sync(list_partials, store, limiter=self._threads)
        return PartialList(rows)

    @concurrent
    async def prune(self, m: Prune) -> Pruned:
        act = partial(prune, self._catalog, older_than=m.older_than, dry_run=m.dry_run)
        pruned = await trio.to_thread.run_sync(act, limiter=self._threads)
        if pruned.count and not m.dry_run:
            self.ctx.log.info("pruned", files=pruned.count, freed=pruned.freed)
        return pruned

    @concurrent
    async def show_key(self, m: ShowKey) -> PublicKey:
        try:
            return PublicKey((await self._identity()).public)
        except OSError as e:
            raise Refused(storage_problem(e)) from e

    def info(self) -> Mapping[str, Any]:
        return {"pulls": self._pulls}
