"""The edge actor: keeps the HTTP server running. A restart keeps the listening socket.

It is stopped before all others, who can thus bring to an end what they do for it:

1. Who comes now is refused, and told to come again.
2. What runs may come to its end, for as long as the grace lasts, or until it is told to hurry.
3. What runs then is ended by itself, with a last word in its API's own way.
4. Who does not read is dropped.
"""

import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import trio

from actorllm.actors.edge.server import GRACE, serve
from actorllm.actors.kernel import Actor

__all__ = ["LAST_WORDS", "TAIL", "Answers", "App", "Edge"]

LAST_WORDS = 2.0
"""Seconds that answers which were cut have for their last word: their clients must read it."""
TAIL = LAST_WORDS + GRACE + 1.0
"""Seconds that a stop may take beside the grace."""


class Answers(Protocol):
    """What an application is answering."""

    @property
    def running(self) -> int:
        """Requests that were taken in and are not over."""

    def close(self) -> None:
        """Refuse whoever comes now."""

    def cut(self) -> None:
        """End what runs, each with a word of its own."""

    async def none_left(self) -> None:
        """Wait until nothing runs."""


class App(Protocol):
    """An ASGI application that tells what it answers."""

    @property
    def answers(self) -> Answers: ...

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]: ...


class Edge(Actor):
    """Serves an application on sockets that were bound by the daemon.

    Args:
        make_app: Makes the application.
        sockets: Listening sockets. A stop closes them: who comes later is refused, not left waiting.
        grace: Seconds for which answers may go on after a stop.
    """

    def __init__(
        self,
        make_app: Callable[[], App],
        sockets: Sequence[socket.socket],
        *,
        grace: float = 0.0,
    ) -> None:
        self._make_app = make_app
        self._sockets = sockets
        self._grace = grace
        self._hurried = trio.CancelScope()
        self._shutdown = trio.Event()
        self._over = trio.Event()

    async def started(self) -> None:
        app = self._make_app()
        self._answers = app.answers
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
        self._answers.close()
        await self._let_end()
        await self._cut()
        self._shutdown.set()
        await self._over.wait()
        for sock in self._sockets:
            sock.close()

    def hurry(self) -> None:
        self._hurried.cancel()

    async def _let_end(self) -> None:
        answers = self._answers
        if answers.running and self._grace:
            self.ctx.log.info(
                "answers may end; a second signal cuts them short",
                running=answers.running,
                seconds=self._grace,
            )
        self._hurried.deadline = trio.current_time() + self._grace
        with self._hurried:
            await answers.none_left()

    async def _cut(self) -> None:
        answers = self._answers
        cut = answers.running
        if not cut:
            return
        answers.cut()
        with trio.move_on_after(LAST_WORDS):
            await answers.none_left()
        self.ctx.log.warning("answers were cut short", count=cut, not_told=answers.running)

    def info(self) -> Mapping[str, Any]:
        return {"listening": ["{}:{}".format(*s.getsockname()[:2]) for s in self._sockets]}
