"""The downloader: a supervisor of fetches, and the pulls that follow them."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, Final

import trio

from actorllm.actors.downloader.authority import Authority
from actorllm.actors.downloader.fetch import Fetch
from actorllm.actors.downloader.identity import Identity, load_identity
from actorllm.actors.downloader.origin import Origin
from actorllm.actors.downloader.partial import remove_old_partials
from actorllm.actors.downloader.pulling import Pulling
from actorllm.actors.downloader.registry import Registry
from actorllm.actors.downloader.retry import DEFAULT, Policy
from actorllm.actors.downloader.sharing import Transfers
from actorllm.actors.downloader.transfer import storage_problem
from actorllm.actors.library.catalog import Catalog
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import Layer
from actorllm.protocol.messages.building import CreateStatus
from actorllm.protocol.messages.transfers import Pull, TransferProgress
from actorllm.protocol.names import valid_name

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
        max_blob: int = 1 << 40,
        prune: bool = True,
        policy: Policy = DEFAULT,
    ) -> None:
        super().__init__()
        self._catalog = catalog
        self._state = state
        self._streams = streams
        self._max_blob = max_blob
        self._prune = prune
        self._policy = policy
        self._pulls = 0
        self._threads = trio.CapacityLimiter(_THREADS)

    async def started(self) -> None:
        await super().started()
        if self._prune:
            await trio.to_thread.run_sync(remove_old_partials, self._catalog.blobs, _OLD)

    async def pull(self, m: Pull) -> AsyncIterator[CreateStatus]:
        """Refused with 400 by the name, 503 while there are too many; else see `Pulling`."""
        name = valid_name(m.model)
        origin = Origin.of(name, insecure=m.insecure)
        if self._pulls >= _MAX_PULLS:
            raise Refused.because(
                503, f"{_MAX_PULLS} models are being pulled already; try again", retry_after=5
            )
        authority = Authority(origin, self._identity, m.username, m.password)
        connect = partial(Registry, origin, authority, streams=self._streams, policy=self._policy)
        self._pulls += 1
        try:
            async with connect() as registry:
                pulling = Pulling(
                    self._catalog,
                    name,
                    registry,
                    partial(self._follow, connect),
                    max_blob=self._max_blob,
                    prune=self._prune,
                    threads=self._threads,
                )
                async with aclosing(pulling.steps()) as steps:
                    async for step in steps:
                        yield step
            self.ctx.log.info("pulled", model=name.full())
        except OSError as e:
            raise Refused(storage_problem(e)) from e
        finally:
            self._pulls -= 1

    async def _identity(self) -> Identity:
        return await trio.to_thread.run_sync(load_identity, self._state)

    def _follow(
        self, connect: Callable[[], Registry], layer: Layer
    ) -> AsyncGenerator[TransferProgress, None]:
        """Follow the fetch of a blob; begin it if nobody has."""
        make = partial(Fetch, self._catalog.blobs, layer, connect, self._streams)
        return self.share(layer.digest.removeprefix("sha256:"), make, layer.digest)

    def info(self) -> Mapping[str, Any]:
        return {"pulls": self._pulls}
