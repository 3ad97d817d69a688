"""A proxy in front of a registry: counts, slows down, cuts, and changes what passes."""

import re
from contextlib import asynccontextmanager

import trio

_REQUEST = re.compile(rb"^(GET|HEAD|POST|PATCH|PUT) (/v2/\S+) HTTP/1.1\r$", re.MULTILINE)


class Proxy:
    """Passes TCP connections on.

    Args:
        target: Address and port behind it.
    """

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self.requests: list[str] = []
        """Method and path of each request, in order."""
        self.rate: float = 0.0
        """Bytes that each connection carries to the client in a second; 0: as many as it can."""
        self.cut_after: int | None = None
        """Cut each connection after so many bytes to the client."""
        self.silent_after: int | None = None
        """Say nothing any more after so many bytes on a connection to the client."""
        self.corrupt_at: int | None = None
        """Change the byte that comes after so many on each connection to the client."""
        self.cut_upward_after: int | None = None
        """Cut each connection after so many bytes from the client."""
        self.received = 0
        """Bytes that came from clients."""
        self.sent = 0
        """Bytes that went to clients."""
        self.host = ""

    def count(self, method: str, part: str) -> int:
        return sum(r.startswith(method) and part in r for r in self.requests)

    async def serve(self, task_status):
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.host = "127.0.0.1:{1}".format(*listeners[0].socket.getsockname())
        await trio.serve_listeners(self._pass, listeners, task_status=task_status)

    async def _pass(self, client):
        async with (
            await trio.open_tcp_stream(*self._target) as server,
            client,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(self._upward, client, server, nursery.cancel_scope)
            await self._downward(server, client)
            nursery.cancel_scope.cancel()

    async def _upward(self, client, server, scope):
        passed = 0
        try:
            async for data in client:
                passed += len(data)
                self.received += len(data)
                if self.cut_upward_after is not None and passed > self.cut_upward_after:
                    break
                for method, path in _REQUEST.findall(data):
                    self.requests.append(f"{method.decode()} {path.decode()}")
                await server.send_all(data)
        except trio.BrokenResourceError:
            pass
        scope.cancel()

    async def _downward(self, server, client):
        passed = 0
        try:
            while data := await server.receive_some(16 * 1024):
                if self.cut_after is not None and passed + len(data) > self.cut_after:
                    await client.send_all(data[: self.cut_after - passed])
                    return
                if self.silent_after is not None and passed + len(data) > self.silent_after:
                    await trio.sleep_forever()
                at = -1 if self.corrupt_at is None else self.corrupt_at - passed
                if 0 <= at < len(data):
                    data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
                await client.send_all(data)
                passed += len(data)
                self.sent += len(data)
                if self.rate:
                    await trio.sleep(len(data) / self.rate)
        except trio.BrokenResourceError:
            pass


@asynccontextmanager
async def proxy_to(target: str):
    """Run a proxy while the block lasts."""
    proxy = Proxy(target)
    async with trio.open_nursery() as nursery:
        await nursery.start(proxy.serve)
        yield proxy
        nursery.cancel_scope.cancel()
