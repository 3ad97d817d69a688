"""Streams that run beside a measurement, and begin anew when their model has said it all."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import trio

from actorllm.cli.bench.dialects import Call, read
from actorllm.cli.bench.server import Server
from actorllm.cli.bench.tasks import side_by_side
from actorllm.cli.bench.traces import Recording, Trace
from actorllm.cli.errors import Failure

__all__ = ["beside_running"]

STEADY_CHUNKS = 6
"""A stream runs steadily when so many chunks have come."""

MOST_FALSE_STARTS = 10
"""How often a stream may end before it ran steadily. A model that says next to nothing is no load.
"""

MOST_TURNS = 1000
"""How often a stream may begin anew in all."""

Write = Callable[[int, int], Call]
"""Makes the request of a stream, by its number, in its n-th turn."""

T = TypeVar("T")


async def beside_running(
    server: Server, streams: int, write: Write, job: Callable[[], Awaitable[T]]
) -> tuple[T, list[Trace]]:
    """Do a job while streams run; return what it gives, and the streams.

    The job begins when all of the streams run steadily. They are broken off when it is done.
    """
    loads = [_Load(server, partial(write, number)) for number in range(streams)]
    results: list[T] = []

    async def do() -> None:
        for load in loads:
            await load.steady.wait()
        results.append(await job())
        for load in loads:
            load.scope.cancel()

    await side_by_side([do, *(load.run for load in loads)])
    return results[0], [trace for load in loads for trace in load.traces()]


class _Load:
    """One stream after the other."""

    def __init__(self, server: Server, write: Callable[[int], Call]) -> None:
        self._server = server
        self._write = write
        self._recordings: list[Recording] = []
        self.steady = trio.Event()
        self.scope = trio.CancelScope()

    async def run(self) -> None:
        with self.scope:
            for turn in range(MOST_TURNS):
                if turn == MOST_FALSE_STARTS and not self.steady.is_set():
                    break
                recording = Recording()
                self._recordings.append(recording)
                await self._server.record(
                    self._write(turn), recording, partial(self._heard, recording)
                )
            raise Failure(
                "the answers are too short for this workload; take another model or more --tokens"
            )

    def _heard(self, recording: Recording) -> None:
        if len(recording.chunks) == STEADY_CHUNKS:
            self.steady.set()

    def traces(self) -> list[Trace]:
        return [
            read(self._server.dialect, recording, broken_off=not recording.ended)
            for recording in self._recordings
        ]
