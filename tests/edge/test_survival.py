"""What one connection, or the server itself, may do to the rest of the edge."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import structlog
import trio

from actorllm.actors.edge.actor import Edge
from actorllm.actors.edge.server import listen, serve
from actorllm.actors.kernel import ChildSpec, Node, Supervisor


class Idle:
    """An application that nobody asks anything."""

    answers = None


REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"


class World:
    """An application that answers `/` and then stays silent, and counts who is inside."""

    def __init__(self) -> None:
        self.inside = 0
        self.broken = False
        self._moved = trio.Event()

    async def app(self, scope, receive, send) -> None:
        self._move(1)
        try:
            if self.broken:
                raise ValueError("broken")
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await trio.sleep_forever()
        finally:
            self._move(-1)

    def _move(self, by: int) -> None:
        self.inside += by
        self._moved.set()
        self._moved = trio.Event()

    async def until(self, inside: int) -> None:
        with trio.fail_after(5):
            while self.inside != inside:
                await self._moved.wait()


@asynccontextmanager
async def serving(world: World) -> AsyncIterator[tuple[str, int]]:
    sock = listen("127.0.0.1", 0)
    shutdown = trio.Event()
    with sock:
        async with trio.open_nursery() as nursery:

            async def run(*, task_status) -> None:
                await serve(
                    world.app,
                    [sock],
                    shutdown=shutdown,
                    log=structlog.get_logger(),
                    task_status=task_status,
                )
                assert shutdown.is_set(), "the server ended by itself"

            await nursery.start(run)
            yield sock.getsockname()
            shutdown.set()


async def ask(address: tuple[str, int], data: bytes = REQUEST) -> trio.SocketStream:
    stream = await trio.open_tcp_stream(*address)
    await stream.send_all(data)
    return stream


async def test_a_client_whose_end_hypercorn_does_not_see_is_dropped_alone():
    world = World()
    async with serving(world) as address:
        other = await ask(address)
        await world.until(1)
        for _ in range(3):
            # A second request behind the first pauses the reading, and hides the end behind it.
            gone = await ask(address, REQUEST * 2)
            await world.until(2)
            await gone.aclose()
            await world.until(1)
        async with await ask(address) as later:
            with trio.fail_after(5):
                assert (await later.receive_some()).startswith(b"HTTP/1.1 200")
        await world.until(1)
        await other.aclose()
        await world.until(0)


async def test_a_client_that_stops_reading_does_not_hold_up_the_shutdown():
    world = World()
    with trio.fail_after(5):
        async with serving(world) as address:
            idle = await ask(address)
            await world.until(1)
    assert world.inside == 0
    await idle.aclose()


async def test_an_edge_whose_server_ends_by_itself_is_restarted(monkeypatch: pytest.MonkeyPatch):
    runs: list[int] = []

    async def faulty(app, sockets, *, shutdown, log, task_status) -> None:
        runs.append(len(runs))
        task_status.started()
        if len(runs) > 1:
            await shutdown.wait()

    monkeypatch.setattr("actorllm.actors.edge.actor.serve", faulty)
    node = Node("test")
    spec = ChildSpec("edge", lambda: Edge(Idle, list[socket.socket]()))  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        await nursery.start(node.run, ChildSpec("root", lambda: Supervisor([spec])))
        with trio.fail_after(5):
            while len(runs) < 2 or not node.ref("/edge").alive:
                await trio.sleep(0.01)
        node.stop()
    assert runs == [0, 1]
