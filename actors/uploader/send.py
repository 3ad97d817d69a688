"""The send actor: one blob to one repository, for all who wait for it."""

import os
from collections.abc import Callable

import trio

from actorllm.actors.downloader.registry import Registry
from actorllm.actors.downloader.transfer import Transfer
from actorllm.actors.library.catalog import Catalog
from actorllm.actors.uploader.sending import Sending
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import Layer

__all__ = ["Send"]


class Send(Transfer):
    """Sends a blob.

    Args:
        catalog: Has it.
        layer: Which one.
        connect: Makes a connection to the repository.
        chunk: Bytes of a request at most.
        source: See `Sending`.
    """

    def __init__(
        self,
        catalog: Catalog,
        layer: Layer,
        connect: Callable[[], Registry],
        *,
        chunk: int,
        source: str,
    ) -> None:
        super().__init__(layer.size)
        self._catalog = catalog
        self._layer = layer
        self._connect = connect
        self._chunk = chunk
        self._source = source
        self._sending: Sending | None = None

    @property
    def completed(self) -> int:
        return 0 if self._sending is None else self._sending.completed

    async def work(self) -> str:
        fd = await trio.to_thread.run_sync(self._open)
        try:
            async with self._connect() as registry:
                self._sending = Sending(
                    registry,
                    self._layer,
                    fd,
                    chunk=self._chunk,
                    source=self._source,
                    changed=self.changed,
                    troubled=self.troubled,
                )
                await self._sending.run()
        finally:
            os.close(fd)
        return self._layer.digest

    def _open(self) -> int:
        path = self._catalog.blob(self._layer.digest)
        if path is not None:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            if os.fstat(fd).st_size == self._layer.size:
                return fd
            os.close(fd)
        raise Refused.because(
            500, f"blob {self._layer.digest} is missing or damaged; pull or create the model again"
        )
