"""What a push does: read the manifest, send the blobs, send the manifest."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, closing
from functools import partial

import httpx

from actorllm.actors.downloader.ahead import Ahead, Follow, Run
from actorllm.actors.downloader.origin import Origin
from actorllm.actors.downloader.patience import patiently
from actorllm.actors.downloader.pulling import announced, blob_status
from actorllm.actors.downloader.registry import Registry, RegistryError, check_status
from actorllm.actors.uploader.local import LocalModel
from actorllm.protocol.manifest import Layer
from actorllm.protocol.messages.building import CreateStatus
from actorllm.protocol.names import parse_name

__all__ = ["Pushing", "mount_source"]


def mount_source(layer: Layer, origin: Origin) -> str:
    """Return the repository of the same registry that a layer was taken from; empty: none."""
    if not layer.source:
        return ""
    name = parse_name(layer.source)
    repository = f"{name.namespace}/{name.model}"
    is_there = name.is_valid and name.host.lower() == origin.host.lower()
    return repository if is_there and repository != origin.repository else ""


class Pushing:
    """One push.

    Args:
        model: What is sent.
        registry: Gets it.
        follow: Sends a blob.
        run: See `Ahead`.
        troubled: Told before another try of the manifest what went wrong.
    """

    def __init__(
        self,
        model: LocalModel,
        registry: Registry,
        follow: Follow,
        run: Run,
        troubled: Callable[[str], None],
    ) -> None:
        self._model = model
        self._registry = registry
        self._follow = follow
        self._run = run
        self._troubled = troubled

    async def steps(self) -> AsyncGenerator[CreateStatus, None]:
        """Push the model.

        Raises:
            Refused: The registry does not take it.
        """
        layers = {layer.digest: layer for layer in self._model.manifest.blobs()}
        for layer in layers.values():
            yield announced("pushing", layer)
        if layers:
            await self._reach(next(iter(layers)))
        with closing(Ahead(self._run, self._follow, tuple(layers.values()))) as ahead:
            for layer in layers.values():
                async with aclosing(ahead.follow(layer)) as items:
                    async for one, progress in items:
                        if progress.trouble:
                            yield CreateStatus(progress.trouble)
                        yield blob_status("pushing", one, progress.completed)
        yield CreateStatus("pushing manifest")
        await patiently(self._registry.policy, self._put_manifest, told=self._troubled)
        yield CreateStatus("success")

    async def _reach(self, digest: str) -> None:
        """Ask once for a blob: a registry that is not there is told at once, not after all tries."""
        try:
            async with self._registry.ask("HEAD", self._registry.origin.blob(digest)):
                return  # whatever it answers, it is there
        except RegistryError as e:
            raise e.refused() from e

    async def _put_manifest(self) -> None:
        model = self._model
        url = self._registry.origin.manifest(model.name.tag)
        headers = {
            "Content-Type": model.manifest.media_type,
            "Content-Length": str(len(model.data)),
        }
        body = partial(httpx.ByteStream, model.data)
        async with self._registry.ask(
            "PUT", url, headers=headers, body=body, follow=False
        ) as answer:
            await check_status(answer.response, {200, 201, 202})
