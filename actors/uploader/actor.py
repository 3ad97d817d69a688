"""The uploader: a supervisor of sends, and the pushes that follow them."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, Final

import trio

from actorllm.actors.blobs.pins import Pin
from actorllm.actors.downloader.authority import Authority
from actorllm.actors.downloader.identity import Identity, load_identity
from actorllm.actors.downloader.origin import Origin
from actorllm.actors.downloader.registry import Registry
from actorllm.actors.downloader.retry import DEFAULT, Policy
from actorllm.actors.downloader.sharing import Transfers
from actorllm.actors.downloader.transfer import storage_problem
from actorllm.actors.library.catalog import Catalog
from actorllm.actors.uploader.chunks import chunk_size
from actorllm.actors.uploader.pushing import LocalModel, Pushing, find_model, mount_source
from actorllm.actors.uploader.send import Send
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import Layer
from actorllm.protocol.messages.building import CreateStatus
from actorllm.protocol.messages.transfers import Push, TransferProgress

__all__ = ["Uploader"]

_MAX_PUSHES: Final = 64
_THREADS: Final = 8


class Uploader(Transfers):
    """Pushes models. Each blob on its way is a child; pushes to one repository share it.

    Args:
        catalog: Has the models.
        state: Folder of the key of this installation.
        streams: Connections for one blob at a time.
        chunk: Says how many bytes a request has at most, by the size of a blob.
        policy: How patient.
    """

    def __init__(
        self,
        catalog: Catalog,
        state: Path,
        *,
        streams: int = 16,
        chunk: Callable[[int], int] = chunk_size,
        policy: Policy = DEFAULT,
    ) -> None:
        super().__init__()
        self._catalog = catalog
        self._state = state
        self._streams = streams
        self._chunk = chunk
        self._policy = policy
        self._pushes = 0
        self._threads = trio.CapacityLimiter(_THREADS)

    async def push(self, m: Push) -> AsyncIterator[CreateStatus]:
        """Refused with 503 while there are too many; else see `find_model` and `Pushing`."""
        if self._pushes >= _MAX_PUSHES:
            raise Refused.because(
                503, f"{_MAX_PUSHES} models are being pushed already; try again", retry_after=5
            )
        self._pushes += 1
        try:
            yield CreateStatus("retrieving manifest")
            try:
                model = await trio.to_thread.run_sync(
                    find_model, self._catalog, m.model, limiter=self._threads
                )
            except Refused:
                yield CreateStatus("couldn't retrieve manifest")
                raise
            async with aclosing(self._steps(m, model)) as steps:
                async for step in steps:
                    yield step
            self.ctx.log.info("pushed", model=model.name.full())
        except OSError as e:
            raise Refused(storage_problem(e)) from e
        finally:
            self._pushes -= 1

    async def _steps(self, m: Push, model: LocalModel) -> AsyncGenerator[CreateStatus, None]:
        origin = Origin.of(model.name, insecure=m.insecure)
        authority = Authority(origin, self._identity, m.username, m.password)
        connect = partial(Registry, origin, authority, streams=self._streams, policy=self._policy)
        # Whoever deletes the model meanwhile leaves its blobs until they are sent.
        with await trio.to_thread.run_sync(self._pin, model, limiter=self._threads):
            async with connect() as registry:
                follow = partial(self._follow, connect, origin)
                pushing = Pushing(model, registry, follow, self.ctx.run, self._troubled)
                async with aclosing(pushing.steps()) as steps:
                    async for step in steps:
                        yield step

    def _troubled(self, text: str) -> None:
        self.ctx.log.warning("trying again", reason=text)

    def _pin(self, model: LocalModel) -> Pin:
        pin = self._catalog.blobs.lock.pin()
        try:
            for layer in model.manifest.blobs():
                pin.add(layer.digest)
        except BaseException:
            pin.close()
            raise
        return pin

    async def _identity(self) -> Identity:
        return await trio.to_thread.run_sync(load_identity, self._state)

    def _follow(
        self, connect: Callable[[], Registry], origin: Origin, layer: Layer
    ) -> AsyncGenerator[TransferProgress, None]:
        """Follow the sending of a blob; begin it if nobody has."""
        target = hashlib.sha256(repr(origin).encode()).hexdigest()[:16]
        make = partial(
            Send,
            self._catalog,
            layer,
            connect,
            chunk=self._chunk(layer.size),
            source=mount_source(layer, origin),
        )
        return self.share(f"{layer.digest.removeprefix('sha256:')}-{target}", make, layer.digest)

    def info(self) -> Mapping[str, Any]:
        return {"pushes": self._pushes}
