"""One upload: begin, chunks, commit, and going on where a failure has ended it."""

from collections.abc import Callable
from functools import partial
from typing import Final

import attrs
import httpx

from actorllm.actors.downloader.patience import patiently
from actorllm.actors.downloader.registry import Answer, Registry, RegistryError, check_status
from actorllm.actors.downloader.retry import RETRIED
from actorllm.actors.uploader.body import FileRange
from actorllm.actors.uploader.chunks import commit_url, content_range, resume_at
from actorllm.protocol.manifest import Layer

__all__ = ["Sending"]

_ACCEPTED: Final = {200, 201, 202, 204}


@attrs.define
class _Session:
    """An upload that the registry has begun."""

    url: httpx.URL
    at: int = 0
    """Bytes that the registry has."""
    checksums: list[bytes] | None = attrs.field(factory=list)
    """MD5 of each chunk; None: after a failure they are no longer those of whole chunks."""
    sure: bool = True
    """Whether `at` is known: it is not after a failure."""


class Sending:
    """A blob on its way into a repository.

    Args:
        registry: Of the repository.
        layer: What is sent.
        fd: Its open file.
        chunk: Bytes of a request at most.
        source: Another repository of the same registry that may have the blob; empty: none is known.
        changed: Called whenever `completed` has changed.
        troubled: Told before another try what went wrong.
    """

    def __init__(
        self,
        registry: Registry,
        layer: Layer,
        fd: int,
        *,
        chunk: int,
        source: str,
        changed: Callable[[], None],
        troubled: Callable[[str], None],
    ) -> None:
        self._registry = registry
        self._layer = layer
        self._fd = fd
        self._chunk = chunk
        self._source = source
        self._changed = changed
        self._troubled = troubled
        self._session: _Session | None = None
        self.completed = 0
        """Bytes that were handed on."""

    async def run(self) -> None:
        """Send it, unless it is there.

        Raises:
            Refused: The registry does not take it.
        """
        await patiently(
            self._registry.policy,
            self._send,
            lambda: self._acknowledged,
            told=self._troubled,
        )
        self._moved(self._layer.size)

    @property
    def _acknowledged(self) -> int:
        return 0 if self._session is None else self._session.at

    async def _send(self) -> None:
        session = self._session
        if session is None or not session.sure:
            if await self._exists():
                return
            known = session is not None and await self._recovered(session)
            session = self._session = known or await self._begin()
        if session is None:
            return  # mounted
        while session.at < self._layer.size:
            await self._send_chunk(session)
        await self._commit(session)

    async def _exists(self) -> bool:
        url = self._registry.origin.blob(self._layer.digest)
        async with self._registry.ask("HEAD", url) as answer:
            if answer.status == 404:
                return False
            await check_status(answer.response, {200})
            return True

    async def _begin(self) -> _Session | None:
        """Begin an upload; None: the registry has taken the blob from another repository."""
        origin = self._registry.origin
        url = origin.uploads(self._layer.digest if self._source else "", self._source)
        async with self._registry.ask("POST", url, follow=False) as answer:
            await check_status(answer.response, _ACCEPTED)
            if answer.status == 201:
                return None
            return _Session(self._next(answer))

    def _next(self, answer: Answer) -> httpx.URL:
        """Return where the upload goes on; it may be another URL after each request."""
        headers = answer.response.headers
        location = headers.get("docker-upload-location") or headers.get("location")
        if not location:
            raise RegistryError(500, "the registry does not say where the upload goes on")
        return self._registry.redirected(answer.url, location)

    async def _recovered(self, session: _Session) -> _Session | None:
        """Ask how much of an upload is there; None: it is lost."""
        async with self._registry.ask("GET", session.url, follow=False) as answer:
            at = resume_at(answer.response.headers.get("range", ""), self._layer.size)
            if answer.status in _ACCEPTED and at is not None:
                location = answer.response.headers.get("location")
                url = self._next(answer) if location else session.url
                checksums = session.checksums if at == session.at else None
                return _Session(url, at, checksums)
            if answer.status in RETRIED:
                await check_status(answer.response, _ACCEPTED)
        return None

    async def _send_chunk(self, session: _Session) -> None:
        end = min(session.at + self._chunk, self._layer.size)
        bodies: list[FileRange] = []
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(end - session.at),
        }
        patch = headers | {
            "Content-Range": content_range(session.at, end),
            "X-Redirect-Uploads": "1",
        }
        make = partial(self._body, session.at, end, bodies)
        session.sure = False
        async with self._registry.ask(
            "PATCH", session.url, headers=patch, body=make, follow=False
        ) as answer:
            elsewhere = answer.response.headers.get("location", "")
            if answer.status == 307 and elsewhere:
                target = self._registry.redirected(answer.url, elsewhere)
                session.sure = True  # nothing of the chunk has come to the registry itself
            else:
                await check_status(answer.response, _ACCEPTED)
                target = None
            has_next = target is None or "docker-upload-location" in answer.response.headers
            url = self._next(answer) if has_next else session.url
        if target is not None:
            async with self._registry.ask(
                "PUT", target, headers=headers, body=make, follow=False
            ) as answer:
                await check_status(answer.response, _ACCEPTED)
        if session.checksums is not None:
            session.checksums.append(bodies[-1].checksum())
        session.url, session.at, session.sure = url, end, True

    def _body(self, first: int, end: int, bodies: list[FileRange]) -> FileRange:
        body = FileRange(self._fd, first, end, lambda count: self._moved(first + count))
        bodies.append(body)
        return body

    async def _commit(self, session: _Session) -> None:
        url = commit_url(session.url, self._layer.digest, session.checksums)
        session.sure = False
        async with self._registry.ask("PUT", url, follow=False) as answer:
            await check_status(answer.response, _ACCEPTED)

    def _moved(self, completed: int) -> None:
        self.completed = completed
        self._changed()
