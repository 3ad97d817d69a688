"""An actor that counts, sleeps, streams and fails on request; also hosted in child processes."""

import os
import sys
from collections.abc import AsyncIterator

import trio

from actorllm.actors.kernel import Actor, concurrent
from actorllm.protocol.codec import Ask, Stream, Tell, Value, message
from actorllm.protocol.errors import Refused


@message
class Total(Value):
    n: int


@message
class Add(Tell):
    n: int


@message
class Read(Ask[Total]):
    pass


@message
class Pid(Ask[Total]):
    pass


@message
class Fail(Ask[Total]):
    how: str


@message
class Sleep(Ask[Total]):
    seconds: float


@message
class Count(Stream[Total]):
    to: int


@message
class Nothing(Value):
    pass


class Counter(Actor):
    def __init__(self, _: Nothing | None = None) -> None:
        self.total = 0
        self.produced = 0
        self.ended_streams = 0

    async def add(self, m: Add) -> None:
        self.total += m.n

    async def read(self, m: Read) -> Total:
        return Total(self.total)

    async def pid(self, m: Pid) -> Total:
        return Total(os.getpid())

    async def fail(self, m: Fail) -> Total:
        if m.how == "refuse":
            raise Refused.because(404, "no such thing")
        if m.how == "exit":
            sys.stderr.write("famous last words\n")
            os._exit(3)
        if m.how == "abort":
            os.abort()
        raise ValueError("boom")

    @concurrent
    async def sleep(self, m: Sleep) -> Total:
        await trio.sleep(m.seconds)
        return Total(1)

    async def count(self, m: Count) -> AsyncIterator[Total]:
        try:
            for n in range(m.to):
                self.produced = n + 1
                yield Total(n)
        finally:
            self.ended_streams += 1
