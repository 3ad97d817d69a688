"""Answers that are written while they are made.

The status waits for the first item: a refusal before it is a real status, later it is a last frame.
After that each item is written in the turn in which it comes, if the connection takes it.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, Literal, Protocol, TypeVar

import trio
from quart import request
from quart.utils import encode_headers
from quart_trio.wrappers import TrioResponse

from actorllm.actors.kernel import Items, Outlet
from actorllm.http.connection import Send, Writing
from actorllm.http.edge import Log
from actorllm.http.errors import is_expected, problem_of
from actorllm.protocol.asgi import BODY
from actorllm.protocol.errors import Problem

__all__ = ["NDJSON", "SSE", "Frames", "Streamed", "log_crash"]

NDJSON = "application/x-ndjson"
SSE = "text/event-stream"

R = TypeVar("R")
R_contra = TypeVar("R_contra", contravariant=True)


class Frames(Protocol[R_contra]):
    """How a dialect writes a stream."""

    @property
    def content_type(self) -> str: ...

    def headers(self, first: R_contra) -> Mapping[str, str]:
        """Return headers of a stream that begins so."""

    def whole(self, first: R_contra) -> TrioResponse | None:
        """Answer with one document, where the first item says that nothing will be streamed."""

    def refused(self, problem: Problem) -> TrioResponse:
        """Answer instead of a stream."""

    def write(self, item: R_contra) -> bytes:
        """Write an item, without waiting."""

    def end(self) -> bytes:
        """Write what comes after the last item."""

    def failed(self, problem: Problem) -> bytes:
        """Write that the stream ends early."""


def log_crash(log: Log, error: BaseException) -> None:
    """Log an error that nobody expected, with its trace."""
    log.error("request failed", exc_info=error)


class Streamed(Writing, Generic[R]):
    """A response made of the items of a stream, to the current request.

    Args:
        source: Opens the stream; leaving it cancels the producer.
        frames: The dialect.
        log: For errors that nobody expected.
    """

    def __init__(
        self,
        source: Callable[[], AbstractAsyncContextManager[Items[R]]],
        frames: Frames[R],
        log: Log,
    ) -> None:
        super().__init__()
        self._source = source
        self._frames = frames
        self._log = log
        self._stage: Literal["silent", "started", "told", "over"] = "silent"
        """`told`: but for the end of the transfer everything is sent."""
        extensions: Mapping[str, Any] = request.scope["extensions"]
        self._outlet: Outlet | None = extensions.get(BODY)

    async def write(self, send: Send) -> None:
        try:
            async with self._source() as items:
                whole = await self._write_items(send, items)
        except trio.Cancelled:
            raise
        except Exception as e:  # noqa: BLE001 -- whatever it is, the client must be told
            await self.fail(send, e)
        else:
            if whole is not None:
                await self._write_whole(send, whole)

    async def _write_items(self, send: Send, items: Items[R]) -> TrioResponse | None:
        frames = self._frames
        try:
            item = await anext(items)
        except StopAsyncIteration:
            return frames.refused(Problem(500, "nothing was answered"))
        whole = frames.whole(item)
        if whole is not None:
            return whole
        self.headers.update(frames.headers(item))
        await self._start(send, 200, frames.content_type)
        outlet = self._outlet or _Sent(send)
        outlet.push(frames.write(item))
        await items.pour(outlet, frames.write)
        await self._finish(send, frames.end())
        return None

    async def fail(self, send: Send, error: Exception) -> None:
        if self._stage == "over":
            return
        if self._stage == "told":
            await self._finish(send, b"")
            return
        problem = problem_of(error)
        started = self._stage == "started"
        if not is_expected(error):
            log_crash(self._log, error)
        elif started:
            self._log.warning("an answer ended early", reason=problem.text)
        if started:
            await self._finish(send, self._frames.failed(problem))
        else:
            await self._write_whole(send, self._frames.refused(problem))

    async def _start(self, send: Send, status: int, content_type: str) -> None:
        self._stage = "started"
        self.status_code = status
        self.headers["Content-Type"] = content_type
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": encode_headers(self.headers),
            }
        )

    async def _write_whole(self, send: Send, whole: TrioResponse) -> None:
        self.headers.update(whole.headers)
        await self._start(send, whole.status_code, whole.headers["Content-Type"])
        await self._finish(send, await whole.get_data(as_text=False))

    async def _finish(self, send: Send, data: bytes) -> None:
        await _write_body(send, data)
        self._stage = "told"
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        self._stage = "over"


class _Sent:
    """The body of an answer as an outlet, where ASGI is the only way to its connection."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._data = b""

    @property
    def credit(self) -> int:
        return 0 if self._data else 1

    async def wait_credit(self) -> None:
        data, self._data = self._data, b""
        await _write_body(self._send, data)

    def push(self, frame: bytes) -> None:
        self._data += frame


async def _write_body(send: Callable[[Any], Awaitable[None]], data: bytes) -> None:
    if data:
        await send({"type": "http.response.body", "body": data, "more_body": True})
