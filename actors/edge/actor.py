"""The edge actor: keeps the HTTP server running. A restart keeps the listening socket."""

import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import trio

from actorllm.actors.edge.server import App, serve
from actorllm.actors.kernel import Actor

__all__ = ["Edge"]


class Edge(Actor):
    """Serves an application on sockets that were bound by the daemon.

    Args:
        make_app: Makes the ASGI application.
        sockets: Listening sockets.
    """

    def __init__(self, make_app: Callable[[], App], sockets: Sequence[socket.socket]) -> None:
        self._make_app = make_app
        self._sockets = sockets
        self._shutdown = trio.Event()
        self._over = trio.Event()

    async def started(self) -> None:
        app = self._make_app()
        ready = trio.Event()
        self.ctx.run(self._serve, app, ready)
        await ready.wait()

    async def _serve(self, app: App, ready: trio.Event) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self._run, app)
            ready.set()
        self._over.set()
        if not self._shutdown.is_set():
            raise RuntimeError("the server ended by itself")

    async def _run(self, app: App, *, task_status: trio.TaskStatus[None]) -> None:
        await serve(
            app,
            self._sockets,
            shutdown=self._shutdown,
            log=self.ctx.log,
            task_status=task_status,
        )

    async def stopped(self) -> None:
        self._shutdown.set()
        await self._over.wait()

    def info(self) -> Mapping[str, Any]:
        return {"listening": ["{}:{}".format(*s.getsockname()[:2]) for s in self._sockets]}
