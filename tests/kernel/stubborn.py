"""An actor that makes its own end hard, and a parent process that hosts it."""

import os
import signal
import subprocess
import time

import trio
from counter import Nothing

from actorllm.actors.kernel import Actor, ChildSpec, Node, Supervisor, concurrent, trace_id
from actorllm.actors.kernel.launch import ProcessLauncher
from actorllm.actors.kernel.process import ProcessActor
from actorllm.protocol.codec import Ask, Tell, Value, message


@message
class Pids(Value):
    own: int
    child: int


@message
class Spawn(Ask[Pids]):
    """Start a process that sleeps."""


@message
class Spin(Tell):
    """Turn for ever, without giving the event loop a turn."""


@message
class Trace(Value):
    id: str


@message
class WhichTrace(Ask[Trace]):
    pass


class Stubborn(Actor):
    def __init__(self, _: Nothing) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    async def spawn(self, m: Spawn) -> Pids:
        sleeper = subprocess.Popen(["sleep", "1000"])  # noqa: ASYNC220 -- it is never waited for
        return Pids(os.getpid(), sleeper.pid)

    async def spin(self, m: Spin) -> None:
        while True:
            time.sleep(0.01)  # noqa: ASYNC251 -- the fault that is tested

    @concurrent
    async def trace(self, m: WhichTrace) -> Trace:
        return Trace(trace_id.get())

    async def stopped(self) -> None:
        await trio.sleep_forever()


class Meek(Stubborn):
    async def stopped(self) -> None:
        pass


def spec(kind=Stubborn):
    entry = f"stubborn:{kind.__name__}"
    return ChildSpec("child", lambda: ProcessActor(entry, Nothing(), grace=0.2), kind="process")


async def parent(*, spin):
    """Host the actor, say the process ids on standard output, wait to be killed."""
    node = Node("parent", launcher=ProcessLauncher())
    async with trio.open_nursery() as nursery:
        await nursery.start(node.run, ChildSpec("root", lambda: Supervisor([spec(Meek)])))
        pids = await node.ref("/child").ask(Spawn(), timeout=10)
        if spin:
            node.ref("/child").tell(Spin())
            await trio.sleep(0.1)
        print(pids.own, pids.child, flush=True)  # noqa: T201 -- to the test
        await trio.sleep_forever()
