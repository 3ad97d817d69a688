"""What a pull does: read the manifest, get the blobs, write the manifest, tidy up."""

import shutil
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, closing
from functools import partial
from typing import Any, Final

import trio

from actorllm.actors.blobs.pins import Pin
from actorllm.actors.downloader.ahead import Ahead, Run, lanes_of
from actorllm.actors.downloader.hub import (
    MAX_LISTING,
    HubModel,
    hub_model,
    listing_url,
    read_listing,
    refuses_splits,
)
from actorllm.actors.downloader.manifests import check_manifest
from actorllm.actors.downloader.partial import allocated
from actorllm.actors.downloader.registry import Registry, RegistryError
from actorllm.actors.library.catalog import Catalog
from actorllm.actors.library.pinning import pinning
from actorllm.protocol.errors import Refused
from actorllm.protocol.gojson import JsonError
from actorllm.protocol.manifest import Layer, Manifest, ManifestError
from actorllm.protocol.messages.building import CreateStatus
from actorllm.protocol.messages.transfers import TransferProgress
from actorllm.protocol.names import Name

__all__ = ["Pulling", "announced", "blob_status"]

_MARGIN: Final = 64 * 1024 * 1024
"""Bytes of the disk that a pull leaves free."""


class Pulling:
    """One pull.

    Args:
        catalog: Gets the model.
        name: Of the model.
        registry: Has it.
        follow: Fetches a blob, with its share of the connections (see `lanes_of`), from its URL if
            it has one of its own.
        run: See `Ahead`.
        max_blob: Bytes that a blob may have.
        prune: Remove the blobs that only the model's former manifest referred to.
        threads: For what blocks.
    """

    def __init__(
        self,
        catalog: Catalog,
        name: Name,
        registry: Registry,
        follow: Callable[..., AsyncGenerator[TransferProgress, None]],
        *,
        run: Run,
        max_blob: int,
        prune: bool,
        threads: trio.CapacityLimiter,
    ) -> None:
        self._catalog = catalog
        self._name = name
        self._registry = registry
        self._follow = follow
        self._run = run
        self._max_blob = max_blob
        self._prune = prune
        self._threads = threads

    async def steps(self) -> AsyncGenerator[CreateStatus, None]:
        """Pull the model.

        Raises:
            Refused: It cannot be had; what has come of its blobs is kept for the next time.
        """
        yield CreateStatus("pulling manifest")
        data, manifest, hub = await self._manifest()
        if hub is not None:
            yield CreateStatus("the registry refuses split weights; taking their files one by one")
        layers = tuple({layer.digest: layer for layer in manifest.blobs()}.values())
        pin = await self._thread(self._catalog.blobs.lock.pin)
        async with pinning(self._catalog, pin):
            missing = await self._thread(self._missing, layers, pin, hub)
            urls = {} if hub is None else hub.urls
            async with aclosing(self._blobs(layers, missing, urls)) as items:
                async for item in items:
                    yield item
            yield CreateStatus("verifying sha256 digest")
            yield CreateStatus("writing manifest")
            garbage = await self._thread(self._write, data)
        if garbage and self._prune:
            yield CreateStatus("removing unused layers")
            await self._thread(self._catalog.sweep, garbage)
        yield CreateStatus("success")

    async def _manifest(self) -> tuple[bytes, Manifest, HubModel | None]:
        prefix = "pull model manifest: "
        try:
            data, hub = await self._found()
            return data, check_manifest(data, self._max_blob), hub
        except RegistryError as e:
            raise e.refused(prefix) from e
        except ManifestError as e:
            reason = e.__cause__ if isinstance(e.__cause__, JsonError) else e
            raise Refused.because(500, f"{prefix}{reason}") from e
        except Refused as e:
            raise Refused.because(e.problem.status, prefix + e.problem.text) from e

    async def _found(self) -> tuple[bytes, HubModel | None]:
        try:
            return await self._registry.manifest(self._name.tag), None
        except RegistryError as e:
            if not refuses_splits(e.status, e.text):
                raise
        hub = await self._from_hub()
        return hub.manifest, hub

    async def _from_hub(self) -> HubModel:
        """Find the files of split weights.

        Raises:
            RegistryError: They cannot be listed.
            Refused: There are none of this tag: 404.
        """
        origin = self._registry.origin
        url = listing_url(origin.base, origin.repository)
        listing = await self._registry.read(url, "application/json", MAX_LISTING)
        try:
            revision, files = read_listing(listing)
        except ValueError as e:
            raise RegistryError(0, str(e)) from e
        return hub_model(origin.base, origin.repository, self._name.tag, revision, files)

    def _missing(self, layers: Sequence[Layer], pin: Pin, hub: HubModel | None) -> frozenset[Layer]:
        """Pin all blobs and return those that must be fetched.

        Raises:
            Refused: The disk has no space for them: 507.
        """
        store = self._catalog.blobs
        for layer in layers:
            pin.add(layer.digest)
        if hub is not None:
            store.put(hub.config)
        # A file of another size is damaged: it is fetched again and replaced.
        missing = [
            layer
            for layer in layers
            if not (
                self._catalog.own(layer.digest) and self._catalog.size(layer.digest) == layer.size
            )
        ]
        need = sum(max(0, layer.size - allocated(store, layer.digest)) for layer in missing)
        free = shutil.disk_usage(store.folder).free
        if missing and need + _MARGIN > free:
            raise Refused.because(
                507,
                f"not enough disk space: the model needs {_gb(need)} more and {_gb(free)} are "
                "free; remove a model and try again",
            )
        return frozenset(missing)

    async def _blobs(
        self, layers: Sequence[Layer], missing: frozenset[Layer], urls: Mapping[str, str]
    ) -> AsyncGenerator[CreateStatus, None]:
        """Fetch what is missing, several at a time. Each blob is named first, in order."""
        for layer in layers:
            is_here = layer not in missing
            yield (
                blob_status("pulling", layer, layer.size)
                if is_here
                else announced("pulling", layer)
            )
        wanted = [layer for layer in layers if layer in missing]
        follow = partial(self._follow, lanes=lanes_of(wanted), urls=urls)
        with closing(Ahead(self._run, follow, wanted)) as ahead:
            for layer in wanted:
                found = None
                async with aclosing(ahead.follow(layer)) as items:
                    async for one, progress in items:
                        if progress.trouble:
                            yield CreateStatus(progress.trouble)
                        yield blob_status("pulling", one, progress.completed)
                        found = progress.found if one == layer else found
                if found != layer.digest:
                    yield CreateStatus("verifying sha256 digest")
                    raise _mismatch(layer, found)

    def _write(self, data: bytes) -> frozenset[str]:
        return self._catalog.write(self._catalog.spelling(self._name), data)

    async def _thread(self, act: Callable[..., Any], *args: Any) -> Any:
        return await trio.to_thread.run_sync(act, *args, limiter=self._threads)


def _mismatch(layer: Layer, found: str | None) -> Refused:
    return Refused.because(
        500,
        f"digest mismatch, file must be downloaded again: want {layer.digest}, got {found}",
    )


def announced(verb: str, layer: Layer) -> CreateStatus:
    """Name a blob whose turn will come."""
    return CreateStatus(f"{verb} {_short(layer)}", layer.digest, layer.size)


def blob_status(verb: str, layer: Layer, completed: int) -> CreateStatus:
    """Say how far a blob has come."""
    return CreateStatus(f"{verb} {_short(layer)}", layer.digest, layer.size, completed)


def _short(layer: Layer) -> str:
    return layer.digest.removeprefix("sha256:")[:12]


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
