"""The fetch actor: one blob from a registry, for all who wait for it."""

from collections.abc import Callable

import trio

from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.downloader.fetching import Fetching
from actorllm.actors.downloader.partial import Partial
from actorllm.actors.downloader.registry import Registry
from actorllm.actors.downloader.throttle import Throttle
from actorllm.actors.downloader.transfer import Transfer
from actorllm.protocol.manifest import Layer

__all__ = ["Fetch"]


class Fetch(Transfer):
    """Fetches a blob into the store.

    Args:
        store: Where it goes.
        layer: Which one.
        connect: Makes a connection to its registry.
        streams: Connections at one time.
        throttle: Caps the bytes of all fetches.
        model: The one that it is fetched for.
        url: Where it is; None: where blobs of the repository are.
    """

    def __init__(
        self,
        store: BlobStore,
        layer: Layer,
        connect: Callable[[], Registry],
        *,
        streams: int,
        throttle: Throttle,
        model: str,
        url: str | None,
    ) -> None:
        super().__init__(layer.size)
        self._store = store
        self._layer = layer
        self._connect = connect
        self._streams = streams
        self._throttle = throttle
        self._model = model
        self._url = url
        self._fetching: Fetching | None = None
        self._here = 0
        """Bytes that were there at the beginning."""

    @property
    def completed(self) -> int:
        return self._here if self._fetching is None else self._fetching.completed

    async def work(self) -> str:
        """Fetch and verify it, then make it visible; what is wrong is thrown away."""
        layer = self._layer
        if await trio.to_thread.run_sync(self._store.size, layer.digest) == layer.size:
            self._here = layer.size
            return layer.digest  # it came while the last one who fetched it died, or ended
        partial = await trio.to_thread.run_sync(
            Partial, self._store, layer.digest, layer.size, self._streams, self._model
        )
        with partial:
            found = await self._fetch(partial)
            if found != layer.digest and await trio.to_thread.run_sync(partial.check):
                found = await self._fetch(partial)  # the disk has lost some of it: only that again
            keep = partial.publish if found == layer.digest else partial.discard
            await trio.to_thread.run_sync(keep)
        return found

    async def _fetch(self, partial: Partial) -> str:
        async with self._connect() as registry:
            self._fetching = Fetching(
                registry,
                self._layer.digest,
                partial,
                streams=self._streams,
                throttle=self._throttle,
                url=self._url,
                changed=self.changed,
                troubled=self.troubled,
            )
            self.changed()
            return await self._fetching.run()
