"""Where a pull takes its model from: a mirror, and the registry itself.

Imported with the first pull: HTTP and TLS, which a daemon starts without, come with it.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Final

from actorllm.actors.downloader.authority import Authority
from actorllm.actors.downloader.fetch import Fetch
from actorllm.actors.downloader.origin import Origin
from actorllm.actors.downloader.pulling import Pulling
from actorllm.actors.downloader.registry import Registry
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import Layer
from actorllm.protocol.messages.building import CreateStatus
from actorllm.protocol.messages.transfers import Pull, TransferProgress
from actorllm.protocol.names import Name

if TYPE_CHECKING:
    from actorllm.actors.downloader.actor import Downloader

__all__ = ["Source"]

_OURS: Final = frozenset({400, 409, 507})
"""Statuses of refusals that another registry would not mend."""


class Source:
    """The registries of one pull.

    Args:
        downloader: Pulls.
        m: What.
        name: Its model.

    Raises:
        Refused: The name's host is none that can be asked: 400.
    """

    def __init__(self, downloader: "Downloader", m: Pull, name: Name) -> None:
        self._downloader = downloader
        self._request = m
        self._name = name
        self._origin = Origin.of(name, insecure=m.insecure)

    async def steps(self) -> AsyncGenerator[CreateStatus, None]:
        """Pull from the mirror if there is one; from the registry itself if that fails.

        Raises:
            Refused: See `Pulling`.
        """
        downloader, origin, m = self._downloader, self._origin, self._request
        mirror = origin.mirrored(downloader.mirrors)
        if mirror is not None:
            # Name and password are for the registry that the user has named.
            authority = Authority(mirror, downloader.state)
            try:
                async with aclosing(self._pull_from(mirror, authority)) as steps:
                    async for step in steps:
                        yield step
            except Refused as e:
                if e.problem.status in _OURS:
                    raise
                why = f"mirror {mirror.host} failed: {e.problem.text}"
                downloader.ctx.log.warning("mirror failed", model=self._name.full(), reason=why)
                yield CreateStatus(f"{why}; pulling from {origin.host}")
            else:
                return
        authority = Authority(origin, downloader.state, m.username, m.password)
        async with aclosing(self._pull_from(origin, authority)) as steps:
            async for step in steps:
                yield step

    async def _pull_from(
        self, origin: Origin, authority: Authority
    ) -> AsyncGenerator[CreateStatus, None]:
        downloader = self._downloader
        connect = partial(
            Registry, origin, authority, streams=downloader.streams, policy=downloader.policy
        )
        async with connect() as registry:
            pulling = Pulling(
                downloader.catalog,
                self._name,
                registry,
                partial(self._follow, connect),
                run=downloader.ctx.run,
                max_blob=downloader.max_blob,
                prune=downloader.tidies,
                threads=downloader.threads,
            )
            async with aclosing(pulling.steps()) as steps:
                async for step in steps:
                    yield step

    def _follow(
        self,
        connect: Callable[[], Registry],
        layer: Layer,
        *,
        lanes: int,
        urls: Mapping[str, str],
    ) -> AsyncGenerator[TransferProgress, None]:
        """Follow the fetch of a blob; begin it if nobody has."""
        downloader = self._downloader
        make = partial(
            Fetch,
            downloader.catalog.blobs,
            layer,
            connect,
            streams=max(1, downloader.streams // lanes),
            throttle=downloader.throttle,
            model=self._name.full(),
            url=urls.get(layer.digest),
        )
        return downloader.share(layer.digest.removeprefix("sha256:"), make, layer.digest)
