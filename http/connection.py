"""One request on its ASGI connection, with what Quart under Trio lacks.

- The body has back-pressure: at most a mebibyte waits to be read.
- What is left of the body is thrown away once the response starts, so that a client which sends
  all of it before it reads does not lock up; after some seconds the connection is closed instead.
- A response may write itself (`Writing`): it decides its status late, and its scopes are around
  plain awaits, never around the yields of a generator.
- An answer that the daemon's end cuts short gets its last word.
- The first send is shielded, since nothing can be said after half of a head.
- The last send is shielded: Hypercorn reports the end of the response to us as a disconnect before
  it restarts its keep-alive timer; a cancelled send would leave an idle connection without one.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio
from quart.asgi import ASGIHTTPConnection
from quart.wrappers import Request
from quart.wrappers.response import Response
from quart_trio.asgi import TrioASGIHTTPConnection
from quart_trio.wrappers import TrioRequest, TrioResponse
from quart_trio.wrappers.request import TrioBody

from actorllm.actors.kernel.trace import new_trace, trace_id
from actorllm.http.answers import Answers, stopping
from actorllm.http.targets import in_origin_form

__all__ = [
    "BodyStalled",
    "BodyTooLarge",
    "Connection",
    "EdgeRequest",
    "RequestBody",
    "Send",
    "Writing",
]

Send = Callable[[Any], Awaitable[None]]
Count = Callable[[Request, int, float], None]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]

CLIENT_LEFT = 499
"""Counted, never sent: the status of a request whose client did not wait for the answer."""
MOST_WAITING = 1 << 20
"""Bytes of a body that wait to be read before the client has to wait."""
MOST_AT_ONCE = 1 << 20
"""Bytes that one step of the iteration gives."""
STALL = 300.0
"""Seconds for which a client may send nothing of a body that is waited for."""
LINGER = 5.0
"""Seconds for which the rest of a body is thrown away before the connection is closed."""

_LAST = {"Connection": "close"}


class BodyTooLarge(Exception):  # noqa: N818 -- says what happened
    """The body is longer than its route allows."""


class BodyStalled(Exception):  # noqa: N818
    """Nothing of the body came for too long."""


class RequestBody(TrioBody):
    """A body that is read in parts, by one reader."""

    def __init__(self, expected_content_length: int | None, max_content_length: int | None) -> None:
        super().__init__(expected_content_length, max_content_length)
        self.expected = expected_content_length
        self.ended = trio.Event()
        self._ready = trio.Event()
        self._room = trio.Event()
        self._discarding = False

    async def put(self, data: bytes) -> None:
        """Add what came; wait while too much waits to be read."""
        if self._discarding:
            return
        self._data += data
        self._ready.set()
        while len(self._data) >= MOST_WAITING and not self._discarding:
            self._room = trio.Event()
            await self._room.wait()

    def end(self) -> None:
        """Nothing follows."""
        self.ended.set()
        self._ready.set()

    def discard(self) -> None:
        """Throw away what waits and what follows."""
        self._discarding = True
        self._data.clear()
        self._room.set()

    async def __anext__(self) -> bytes:
        while not self._data:
            if self.ended.is_set():
                raise StopAsyncIteration
            self._ready = trio.Event()
            with trio.move_on_after(STALL) as scope:
                await self._ready.wait()
            if scope.cancelled_caught:
                raise BodyStalled
        part = bytes(self._data[:MOST_AT_ONCE])
        del self._data[: len(part)]
        self._room.set()
        return part

    async def read(self, limit: int) -> bytes:
        """Return the whole body.

        Raises:
            BodyTooLarge: It has more than `limit` bytes.
        """
        if self.expected is not None and self.expected > limit:
            raise BodyTooLarge
        parts = bytearray()
        async for part in self:
            parts += part
            if len(parts) > limit:
                raise BodyTooLarge
        return bytes(parts)


class EdgeRequest(TrioRequest):
    """A request whose body is a `RequestBody`."""

    body_class = RequestBody


class Writing(TrioResponse, ABC):
    """A response that sends itself; headers that hooks have set go with it."""

    @abstractmethod
    async def write(self, send: Send) -> None:
        """Send the start, the body and its end."""

    @abstractmethod
    async def fail(self, send: Send, error: Exception) -> None:
        """Send what is to be said in place of what `write` did not come to; it was cancelled."""


class Connection(TrioASGIHTTPConnection):
    """See the module."""

    def __init__(self, app: Any, scope: Any) -> None:
        super().__init__(app, in_origin_form(scope))  # type: ignore[arg-type]

    @property
    def _answers(self) -> Answers:
        answers: Answers = self.app.answers  # type: ignore[attr-defined]  # our App has them
        return answers

    async def handle_messages(  # type: ignore[override]
        self, nursery: trio.Nursery, request: Request, receive: Receive
    ) -> None:
        body = request.body
        assert isinstance(body, RequestBody)
        while True:
            message = await receive()
            if message["type"] == "http.request":
                await body.put(message.get("body", b""))
                if not message.get("more_body", False):
                    body.end()
            elif message["type"] == "http.disconnect":
                nursery.cancel_scope.cancel()
                return

    async def handle_request(  # type: ignore[override]
        self, nursery: trio.Nursery, request: Request, send: Send
    ) -> None:
        began = time.perf_counter()
        trace_id.set(new_trace())  # all messages of a request share it; this task serves one
        status = CLIENT_LEFT
        try:
            with self._answers.taken():
                status = await self._answer(request, send)
        finally:
            count: Count = self.app.answered  # type: ignore[attr-defined]  # our App has it
            count(request, status, time.perf_counter() - began)
        nursery.cancel_scope.cancel()

    async def _answer(self, request: Request, send: Send) -> int:
        response = await self.app.handle_request(request)
        body = request.body
        assert isinstance(body, RequestBody)
        send = _careful(send, body)
        if self._answers.closed:
            response.headers.update(_LAST)
        if isinstance(response, Writing):
            with self._answers.cuttable() as scope:
                await response.write(send)
            if scope.cancelled_caught:
                response.headers.update(_LAST)  # in case that nothing was sent yet
                await response.fail(send, stopping())
        else:
            assert isinstance(response, Response)
            await self._send_response(send, response)
        return response.status_code

    async def _send_response(self, send: Send, response: Any) -> None:
        await ASGIHTTPConnection._send_response(self, send, response)  # noqa: SLF001


def _careful(send: Send, body: RequestBody) -> Send:
    async def careful(message: Any) -> None:
        if message.get("more_body", False):
            await send(message)
            return
        if message["type"] == "http.response.start":
            body.discard()
        else:
            with trio.move_on_after(LINGER):
                await body.ended.wait()
        with trio.CancelScope(shield=True):  # bounded by the time-out of writes
            await send(message)

    return careful
