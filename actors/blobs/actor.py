"""The blobs actor: uploads into the store, each tied to the stream that its sender holds open."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import trio

from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.blobs.writer import BlobWriter
from actorllm.actors.kernel import Actor, concurrent
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.blobs import (
    AdoptBlob,
    BlobStat,
    BlobStored,
    CommitBlob,
    FindBlob,
    UploadBlob,
    UploadOpened,
    WriteBlob,
    Written,
)
from actorllm.protocol.names import parse_digest

__all__ = ["BlobsActor"]

_MAX_UPLOADS = 64
_MAX_PART = 1024 * 1024
_THREADS = 4


class BlobsActor(Actor):
    """Writes blobs and finds them.

    Args:
        store: Where they lie.
        max_bytes: Bound of one blob.
    """

    def __init__(self, store: BlobStore, max_bytes: int) -> None:
        self._store = store
        self._max_bytes = max_bytes
        self._threads = trio.CapacityLimiter(_THREADS)
        self._uploads: dict[int, _Upload] = {}
        self._born = 0

    async def started(self) -> None:
        await trio.to_thread.run_sync(self._store.tidy)

    @concurrent
    async def find(self, m: FindBlob) -> BlobStat:
        """Refused with 400 for a bad digest."""
        size = await trio.to_thread.run_sync(
            self._store.size, parse_digest(m.digest), limiter=self._threads
        )
        return BlobStat(exists=size is not None, size=size or 0)

    async def upload(self, m: UploadBlob) -> AsyncIterator[UploadOpened]:
        """Hold an upload open; what is not committed when the stream is left is discarded."""
        if len(self._uploads) >= _MAX_UPLOADS:
            raise Refused.because(
                503, f"{_MAX_UPLOADS} uploads are open already; try again", retry_after=2
            )
        writer = await trio.to_thread.run_sync(
            self._store.open_writer, m.digest, limiter=self._threads
        )
        self._born += 1
        id_ = self._born
        self._uploads[id_] = _Upload(writer)
        try:
            yield UploadOpened(id_)
            await trio.sleep_forever()
        finally:
            upload = self._uploads.pop(id_)
            upload.open = False
            if not upload.busy:
                writer.abort()

    @concurrent
    async def write(self, m: WriteBlob) -> Written:
        """Refused with 409 when the upload is gone, 413 when it is too large."""
        upload = self._find(m.upload)
        if len(m.data) > _MAX_PART:
            raise Refused.because(413, f"a part may have {_MAX_PART} bytes")
        if upload.size + len(m.data) > self._max_bytes:
            raise Refused.because(
                413, f"a blob may have {self._max_bytes} bytes; raise ACTORLLM_MAX_BLOB_MIB"
            )
        await self._use(upload, lambda: upload.writer.write(m.data))
        upload.size += len(m.data)
        return Written(upload.size)

    @concurrent
    async def commit(self, m: CommitBlob) -> BlobStored:
        """Refused with 400 for another digest than was promised."""
        upload = self._find(m.upload)
        stored = await self._use(upload, upload.writer.commit)
        return BlobStored(stored.digest, stored.size)

    @concurrent
    async def adopt(self, m: AdoptBlob) -> BlobStored:
        """See `AdoptBlob`."""
        stored = await trio.to_thread.run_sync(
            self._store.adopt_named, m.name, m.digest, limiter=self._threads
        )
        return BlobStored(stored.digest, stored.size)

    def _find(self, id_: int) -> "_Upload":
        upload = self._uploads.get(id_)
        if upload is None or upload.busy:
            raise Refused.because(409, "this upload is not open; begin it again")
        return upload

    async def _use(self, upload: "_Upload", act: Callable[[], Any]) -> Any:
        """Run a blocking step of a writer; if its owner left meanwhile, discard what was written."""
        upload.busy = True
        try:
            return await trio.to_thread.run_sync(act, limiter=self._threads)
        finally:
            upload.busy = False
            if not upload.open:
                upload.writer.abort()

    def ended(self, exit_: Any) -> None:
        for upload in self._uploads.values():
            upload.writer.abort()

    def info(self) -> Mapping[str, Any]:
        return {"uploads": len(self._uploads)}


class _Upload:
    def __init__(self, writer: BlobWriter) -> None:
        self.writer = writer
        self.size = 0
        self.busy = False
        self.open = True
