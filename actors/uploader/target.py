"""Where a push brings its model: a repository of a registry.

Imported with the first push: HTTP and TLS, which a daemon starts without, come with it.
"""

import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

import trio

from actorllm.actors.blobs.pins import Pin
from actorllm.actors.downloader.authority import Authority
from actorllm.actors.downloader.origin import Origin
from actorllm.actors.downloader.registry import Registry
from actorllm.actors.library.pinning import pinning
from actorllm.actors.uploader.local import LocalModel
from actorllm.actors.uploader.pushing import Pushing, mount_source
from actorllm.actors.uploader.send import Send
from actorllm.protocol.manifest import Layer
from actorllm.protocol.messages.building import CreateStatus
from actorllm.protocol.messages.transfers import Push, TransferProgress

if TYPE_CHECKING:
    from actorllm.actors.uploader.actor import Uploader

__all__ = ["Target"]


class Target:
    """The repository of one push.

    Args:
        uploader: Pushes.
        m: What.
        model: As it is here.

    Raises:
        Refused: The name's host is none that can be asked: 400.
    """

    def __init__(self, uploader: "Uploader", m: Push, model: LocalModel) -> None:
        self._uploader = uploader
        self._request = m
        self._model = model
        self._origin = Origin.of(model.name, insecure=m.insecure)

    async def steps(self) -> AsyncGenerator[CreateStatus, None]:
        """Push the model.

        Raises:
            Refused: See `Pushing`.
        """
        uploader, m = self._uploader, self._request
        authority = Authority(self._origin, uploader.state, m.username, m.password)
        connect = partial(
            Registry, self._origin, authority, streams=uploader.streams, policy=uploader.policy
        )
        # Whoever deletes the model meanwhile leaves its blobs until they are sent.
        pin = await trio.to_thread.run_sync(self._pin, limiter=uploader.threads)
        async with pinning(uploader.catalog, pin), connect() as registry:
            follow = partial(self._follow, connect)
            pushing = Pushing(self._model, registry, follow, uploader.ctx.run, uploader.troubled)
            async with aclosing(pushing.steps()) as steps:
                async for step in steps:
                    yield step

    def _pin(self) -> Pin:
        pin = self._uploader.catalog.blobs.lock.pin()
        try:
            for layer in self._model.manifest.blobs():
                pin.add(layer.digest)
        except BaseException:
            pin.close()
            raise
        return pin

    def _follow(
        self, connect: Callable[[], Registry], layer: Layer
    ) -> AsyncGenerator[TransferProgress, None]:
        """Follow the sending of a blob; begin it if nobody has."""
        uploader, origin = self._uploader, self._origin
        target = hashlib.sha256(repr(origin).encode()).hexdigest()[:16]
        make = partial(
            Send,
            uploader.catalog,
            layer,
            connect,
            chunk=uploader.chunk(layer.size),
            source=mount_source(layer, origin),
        )
        return uploader.share(
            f"{layer.digest.removeprefix('sha256:')}-{target}", make, layer.digest
        )
