"""Fetching one blob: workers for its parts, retries, and the hash that follows behind them."""

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import Any, Final

import httpx
import trio

from actorllm.actors.downloader.carrier import Carrier
from actorllm.actors.downloader.client import pieces_of
from actorllm.actors.downloader.partial import Partial
from actorllm.actors.downloader.parts import completed, prefix
from actorllm.actors.downloader.patience import patiently
from actorllm.actors.downloader.registry import (
    Answer,
    Registry,
    RegistryError,
    check_status,
    transport_errors,
)
from actorllm.actors.downloader.throttle import Throttle
from actorllm.protocol.errors import Refused

__all__ = ["Fetching"]

_BUFFER: Final = 1024 * 1024
"""Bytes that are written at once."""
_FLUSH: Final = 0.25
"""Seconds after which less is written, too: so much is lost at most when the process is killed."""
_STAGGER: Final = 0.05
"""Seconds between the first requests. A fast network has brought a part before all have begun, and
what comes in order is hashed while it comes."""
_SAVE: Final = 0.1
"""Seconds between two writings of the state."""
_SAVE_BYTES: Final = 4 * 1024 * 1024
"""Bytes after which it is written earlier: so much is fetched again after a kill, the least part."""


class Fetching:
    """One blob on its way from a registry into its unfinished file.

    Args:
        registry: Where it is.
        digest: What is asked for.
        file: Takes what comes.
        streams: Connections at one time.
        throttle: Caps the bytes of all fetches.
        url: Where it is; None: where blobs of the repository are.
        changed: Called whenever `completed` has changed.
        troubled: Told before another try what went wrong.
    """

    def __init__(
        self,
        registry: Registry,
        digest: str,
        file: Partial,
        *,
        streams: int,
        throttle: Throttle,
        url: str | None,
        changed: Callable[[], None],
        troubled: Callable[[str], None],
    ) -> None:
        self._registry = registry
        self._url = url or registry.origin.blob(digest)
        self._file = file
        self._size = sum(part.size for part in file.parts)
        self._streams = streams
        self._throttle = throttle
        self._changed = changed
        self._troubled = troubled
        self._threads = trio.CapacityLimiter(streams + 2)
        self._direct: httpx.URL | None = None
        """Where the registry has redirected to: parts are fetched there at once."""
        self._news = trio.Event()

    @property
    def completed(self) -> int:
        """Bytes that are there."""
        return completed(self._file.parts)

    async def run(self) -> str:
        """Fetch what is missing; returns the digest of what has come.

        Raises:
            Refused: The registry does not give it (404, 401, 500), or the disk is full: 507. What
                has come is kept.
        """
        try:
            await self._prepare()
            async with trio.open_nursery() as nursery:
                saver = trio.CancelScope()
                nursery.start_soon(self._save_now_and_then, saver)
                await self._fetch_and_hash()
                saver.cancel()
        except BaseExceptionGroup as group:
            raise _first(group) from None
        return self._file.digest()

    async def _prepare(self) -> None:
        """Find out whether there are ranges, where it matters."""
        parts = self._file.parts
        if len(parts) < 2 or all(part.is_done for part in parts):
            return
        if not await patiently(self._registry.policy, self._has_ranges, told=self._troubled):
            self._file.unite()

    async def _has_ranges(self) -> bool:
        async with self._open(0, 1) as answer:
            return answer.status == 206

    async def _fetch_and_hash(self) -> None:
        waiting = deque(i for i, part in enumerate(self._file.parts) if not part.is_done)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hash_behind)
            for _ in range(self._streams):
                if not waiting:
                    break
                nursery.start_soon(self._work, waiting)
                await trio.sleep(_STAGGER)

    async def _work(self, waiting: deque[int]) -> None:
        while waiting:
            index = waiting.popleft()
            await patiently(
                self._registry.policy,
                partial(self._fetch_part, index),
                partial(self._done, index),
                told=self._troubled,
            )

    def _done(self, index: int) -> int:
        return self._file.parts[index].done

    # Requests

    @asynccontextmanager
    async def _open(self, first: int, end: int) -> AsyncIterator[Answer]:
        """Ask for a range; the answer has it (206) or everything (200)."""
        headers = {"Range": f"bytes={first}-{end - 1}"}
        direct = self._direct
        if direct is not None:
            try:
                async with self._registry.ask("GET", direct, headers=headers) as answer:
                    if answer.status in {200, 206}:
                        self._check_range(answer, first)
                        yield answer
                        return
            except RegistryError:
                self._forget(direct)
                raise
            self._forget(direct)
        async with self._registry.ask("GET", self._url, headers=headers) as answer:
            await check_status(answer.response, {200, 206})
            self._check_range(answer, first)
            if not self._registry.is_home(answer.url):
                self._direct = answer.url
            yield answer

    def _forget(self, direct: httpx.URL) -> None:
        """Ask the registry again: such URLs expire, and another may be a better one."""
        if self._direct is direct:
            self._direct = None

    def _check_range(self, answer: Answer, first: int) -> None:
        """See that the answer is of the blob's size and begins where it was asked to."""
        headers = answer.response.headers
        if answer.status == 200:
            begin, size = str(first), headers.get("content-length", "")
        else:
            range_, _, size = headers.get("content-range", "").rpartition("/")
            begin = range_.removeprefix("bytes").strip().partition("-")[0] or str(first)
        if (size.isdigit() and size != str(self._size)) or begin != str(first):
            raise Refused.because(
                500, f"the registry's blob is not the one of {self._size} bytes in its manifest"
            )

    async def _fetch_part(self, index: int) -> None:
        part = self._file.parts[index]
        async with self._open(part.next, part.end) as answer:
            if answer.status == 200 and part.next:
                if len(self._file.parts) > 1:
                    raise RegistryError(0, "the registry has stopped to serve ranges")
                await self._thread(self._file.reset, index)
            with transport_errors(self._registry.origin):
                async with pieces_of(answer.response) as pieces:
                    await self._store(index, pieces, Carrier.of(answer.response, self._threads))
        if not self._file.parts[index].is_done:
            raise RegistryError(0, "the registry has sent less than it promised")

    async def _store(
        self, index: int, pieces: AsyncIterator[bytes], carrier: Carrier | None
    ) -> None:
        """Write what comes, up to the end of the part; what comes after it is not read."""
        if carrier is None:
            await self._store_pieces(index, pieces)
            return
        with closing(carrier):
            # What httpx has read along with the headers comes as one piece.
            first = bytearray(await anext(pieces, b""))
            await self._write(index, first[: self._file.parts[index].size - self._done(index)])
            await self._carry(index, carrier)

    async def _carry(self, index: int, carrier: Carrier) -> None:
        write = partial(self._file.write, index)
        stall = self._registry.policy.stall
        while room := self._file.parts[index].size - self._done(index):
            count = await carrier.carry(min(room, self._throttle.portion), write, stall)
            if not count:
                return
            self._tell()
            await self._throttle.take(count)

    async def _store_pieces(self, index: int, pieces: AsyncIterator[bytes]) -> None:
        buffer = bytearray()
        since = trio.current_time()
        part = self._file.parts[index]
        room = part.size - part.done
        try:
            async for piece in pieces:
                if not room:
                    return
                buffer += piece[: room - len(buffer)]
                await self._throttle.take(len(piece))
                full = len(buffer) >= min(_BUFFER, room)
                if full or trio.current_time() - since >= _FLUSH:
                    data, buffer = buffer, bytearray()
                    room -= len(data)
                    await self._write(index, data)
                    since = trio.current_time()
        except httpx.TransportError:
            await self._write(index, buffer)
            raise
        await self._write(index, buffer)

    async def _write(self, index: int, data: bytearray) -> None:
        if data:
            await self._thread(self._file.write, index, memoryview(data))
            self._tell()

    # Beside the workers

    async def _hash_behind(self) -> None:
        while self._file.hashed < self._size:
            news = self._news
            if prefix(self._file.parts) > self._file.hashed:
                await self._thread(self._file.hash_on)
            else:
                await news.wait()

    async def _save_now_and_then(self, scope: trio.CancelScope) -> None:
        with scope:
            while True:
                with trio.move_on_after(_SAVE):
                    saved = self.completed
                    while self.completed - saved < _SAVE_BYTES:
                        await self._news.wait()
                await self._thread(self._file.save)

    def _tell(self) -> None:
        news, self._news = self._news, trio.Event()
        news.set()
        self._changed()

    async def _thread(self, act: Callable[..., Any], *args: Any) -> Any:
        return await trio.to_thread.run_sync(act, *args, limiter=self._threads)


def _first(error: BaseException) -> BaseException:
    """Return the reason in a group: what was refused, before what was cancelled along with it."""
    while isinstance(error, BaseExceptionGroup):
        known, rest = error.split(Exception)
        error = (known or rest or error).exceptions[0]
    return error
