"""Hypercorn under Trio, on sockets of our own.

What is ours, and why:

- Writes have a deadline, and the sockets `TCP_USER_TIMEOUT`: Hypercorn shields its sends, so that a
  client that stops reading would hold its connection, and the shutdown, for ever.
- `Hangups` notices clients that have gone while Hypercorn does not read.
- Bodies may be written in passing, past ASGI and its tasks (`BODY`).
- The shutdown has one deadline for all connections.
- Access lines go through structlog; Hypercorn's logger walks `os.environ` for each of them.
"""

import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

import h11
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState, LifespanState

from actorllm.actors.edge.hangups import Hangups
from actorllm.actors.kernel.sockets import write_now
from actorllm.protocol.asgi import BODY

__all__ = ["GRACE", "App", "Log", "listen", "serve"]

BACKLOG = 1024
KEEP_ALIVE = 60.0
"""Seconds for which an idle connection is kept."""
WRITE_TIMEOUT = 30.0
"""Seconds for which a client may take nothing of what is written to it."""
GRACE = 0.7
"""Seconds that open connections get at shutdown."""
MOST_HEADERS = 64 * 1024
"""Bytes of a request's line and headers."""

_SLICE = 1 << 18
"""Bytes of a write that share a deadline."""
_LOGGED_PATH = 200

App = Callable[[Any, Any, Any], Awaitable[None]]


class Log(Protocol):
    """A structlog logger."""

    def debug(self, event: str, **facts: Any) -> Any: ...

    def info(self, event: str, **facts: Any) -> Any: ...

    def warning(self, event: str, **facts: Any) -> Any: ...

    def error(self, event: str, **facts: Any) -> Any: ...


def listen(host: str, port: int) -> socket.socket:
    """Bind a listening socket.

    Args:
        host: A name or an IP literal; `0.0.0.0` and `::` mean every address.
        port: 0: any free port.

    Raises:
        OSError: The address is in use or is not of this machine.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform == "linux":  # accepted sockets inherit it
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(WRITE_TIMEOUT * 1000))
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


class _Logger:
    """What Hypercorn tells, as structured lines."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def access(self, request: Any, response: Any, seconds: float) -> None:
        method = request.get("method", "WEBSOCKET")
        path = request["raw_path"][:_LOGGED_PATH].decode("latin-1")  # no control characters
        if response is None:
            # Clients hang up as soon as they have the length that was promised, which Hypercorn
            # takes for an answer without a status; the answer itself is reported next.
            self._log.debug("client hung up", method=method, path=path)
            return
        self._log.info(
            "request",
            method=method,
            path=path,
            status=response["status"],
            seconds=round(seconds, 4),
        )

    async def exception(self, message: str, *args: Any, **_: Any) -> None:
        self._log.error(message % args if args else message, exc_info=True)

    async def error(self, message: str, *args: Any, **_: Any) -> None:
        self._log.error(message % args if args else message)

    async def warning(self, message: str, *args: Any, **_: Any) -> None:
        self._log.warning(message % args if args else message)

    async def info(self, message: str, *args: Any, **_: Any) -> None:
        self._log.debug(message % args if args else message)

    debug = info


class _Connection(TCPServer):
    """A connection whose writes end, and whose handler ends when its client has gone."""

    def __init__(self, server: "_Server", stream: trio.SocketStream) -> None:
        super().__init__(
            ASGIWrapper(self._answer),
            server.config,
            server.context,
            ConnectionState(LifespanState({})),
            stream,  # type: ignore[arg-type]  # plain streams are fine, it finds out
        )
        self._server = server
        self._scope = trio.CancelScope()
        self._unsent = b""
        """What was written in passing and not taken: it goes out before anything else does."""

    async def run(self) -> None:
        with self._server.opened(self), self._scope:
            await super().run()

    def drop(self) -> None:
        """End everything now, a write that waits for the client included.

        The scope is ours: Hypercorn's task group does not swallow its own cancellation, which
        would go on to the nursery of all connections and end the server.
        """
        self.stream.socket.close()
        self._scope.cancel()

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, RawData):
            if event.data:
                await self._write(event.data)
        else:
            await super().protocol_send(event)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        http = getattr(self.protocol.protocol, "connection", None)
        if isinstance(http, h11.Connection) and scope["method"] != "HEAD":
            scope["extensions"][BODY] = _Body(self, http)
        await self._server.app(scope, receive, send)

    @property
    def is_free(self) -> bool:
        """Whether something may be written in passing."""
        return not (self._unsent or self.send_lock.locked())

    def write_in_passing(self, data: bytes) -> None:
        """Write what the socket takes, in the current turn of the event loop."""
        self._unsent = data[write_now(self.stream, data) :]

    async def flush(self) -> None:
        """Write what it did not take."""
        await self._write(b"")

    async def _write(self, data: bytes) -> None:
        if self._unsent:
            data, self._unsent = self._unsent + data, b""
        if not self.send_lock.locked():  # hence nobody else writes
            written = write_now(self.stream, data)
            if written == len(data):
                return
            data = data[written:]
        stuck = broken = False
        with trio.CancelScope(shield=True):  # after half a chunk nothing can be said any more
            async with self.send_lock:
                for start in range(0, len(data), _SLICE):  # slow is not stuck
                    with trio.move_on_after(WRITE_TIMEOUT) as scope:
                        try:
                            await self.stream.send_all(data[start : start + _SLICE])
                        except (trio.BrokenResourceError, trio.ClosedResourceError):
                            broken = True
                    stuck = scope.cancelled_caught
                    if stuck or broken:
                        break
        if stuck:
            self.drop()
        elif broken:
            await self.protocol.handle(Closed())
        await trio.lowlevel.checkpoint_if_cancelled()  # the next write may wait in the shield again


class _Body:
    """The body of an answer, as an outlet: what goes into it passes by ASGI and its coroutines."""

    def __init__(self, connection: _Connection, http: h11.Connection) -> None:
        self._connection = connection
        self._http = http

    @property
    def credit(self) -> int:
        return int(self._connection.is_free)

    async def wait_credit(self) -> None:
        while not self._connection.is_free:
            await self._connection.flush()

    def push(self, frame: bytes) -> None:
        self._connection.write_in_passing(self._http.send(h11.Data(data=frame)) or b"")


class _Server:
    """The connections of one run."""

    def __init__(self, app: App, log: Log) -> None:
        self.app = app
        self._log = log
        self.config = _config(log)
        self.context = WorkerContext(None)
        self.hangups = Hangups()
        self._open: set[_Connection] = set()
        self._empty = trio.Event()

    @contextmanager
    def opened(self, connection: _Connection) -> Iterator[None]:
        """Keep a connection in view."""
        self._open.add(connection)
        fd = connection.stream.socket.fileno()
        try:
            with self.hangups.watch(fd, connection.drop):
                yield
        finally:
            self._open.discard(connection)
            if not self._open:
                self._empty.set()

    async def handle(self, stream: trio.SocketStream) -> None:
        """Serve one connection. What breaks in it is no matter of the others."""
        try:
            await _Connection(self, stream).run()
        except* Exception as e:  # noqa: BLE001 -- a connection is a boundary of failure
            self._log.error("connection failed", exc_info=e)

    async def drain(self) -> None:
        """Let idle connections go and wait for the busy ones."""
        await self.context.terminated.set()
        while self._open:
            self._empty = trio.Event()
            await self._empty.wait()

    def drop_all(self) -> None:
        """End what is left."""
        for connection in tuple(self._open):
            connection.drop()


def _config(log: Log) -> Config:
    config = Config()
    config._log = _Logger(log)  # type: ignore[assignment]  # noqa: SLF001 -- it wants a class
    config.keep_alive_timeout = KEEP_ALIVE
    config.keep_alive_max_requests = sys.maxsize
    config.h11_max_incomplete_size = MOST_HEADERS
    config.include_server_header = False
    return config


async def serve(
    app: App,
    sockets: Sequence[socket.socket],
    *,
    shutdown: trio.Event,
    log: Log,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve an ASGI application until `shutdown` is set.

    Args:
        app: The application. Its lifespan is not driven.
        sockets: Listening sockets. They stay open, so that clients wait while a server restarts.
        shutdown: Ends the service: open connections get a moment, then they are dropped.
        log: For access lines and errors.
        task_status: Told when connections are accepted.
    """
    server = _Server(app, log)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.hangups.run)
        async with trio.open_nursery() as connections:
            try:
                async with trio.open_nursery() as accepting:
                    listeners = [trio.SocketListener(_duplicate(s)) for s in sockets]
                    accept = partial(
                        trio.serve_listeners, server.handle, listeners, handler_nursery=connections
                    )
                    await accepting.start(accept)
                    task_status.started()
                    await shutdown.wait()
                    accepting.cancel_scope.cancel()
                with trio.move_on_after(GRACE):
                    await server.drain()
            finally:
                server.drop_all()
        nursery.cancel_scope.cancel()


def _duplicate(sock: socket.socket) -> trio.socket.SocketType:
    return trio.socket.from_stdlib_socket(sock.dup())
