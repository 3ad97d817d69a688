"""How fast the kernel is: round trips, streams, in one process and across two.

python tests/kernel/bench_kernel.py
"""

import os
import statistics
import time
from pathlib import Path

import structlog
import trio
from counter import Add, Count, Counter, Nothing, Read

from actorllm.actors.kernel import ChildSpec, Node, Ref, Supervisor
from actorllm.actors.kernel.launch import ProcessLauncher
from actorllm.actors.kernel.process import ProcessActor

ASKS = 5_000
ITEMS = 50_000
AT_ONCE = 16


def show(what, value, unit):
    print(f"{what:<44} {value:>10,.1f} {unit}")  # noqa: T201 -- its purpose


async def asks(ref: Ref, where: str) -> None:
    times = []
    for _ in range(ASKS):
        began = time.perf_counter()
        await ref.ask(Read(), timeout=10)
        times.append((time.perf_counter() - began) * 1e6)
    show(f"ask, {where}: median", statistics.median(times), "µs")
    show(f"ask, {where}: 99th percentile", statistics.quantiles(times, n=100)[98], "µs")


async def tells(ref: Ref, where: str) -> None:
    began = time.perf_counter()
    for _ in range(ASKS // 1000):
        for _ in range(1000):
            ref.tell(Add(1))
        await ref.ask(Read(), timeout=10)
    show(f"tells, {where}", ASKS / (time.perf_counter() - began), "/s")


async def consume(ref: Ref, items: int, window: int) -> None:
    async with ref.stream(Count(items), window=window) as stream:
        async for _ in stream:
            pass


async def streams(ref: Ref, where: str) -> None:
    for window in (1, 32, 256):
        items = ITEMS if window > 1 else ITEMS // 10
        began = time.perf_counter()
        await consume(ref, items, window)
        show(f"stream, {where}, window {window}", items / (time.perf_counter() - began), "items/s")
    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(consume, ref, ITEMS // AT_ONCE, 32)
    rate = ITEMS / (time.perf_counter() - began)
    show(f"{AT_ONCE} streams, {where}, window 32", rate, "items/s")


async def main() -> None:
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    node = Node("bench", launcher=ProcessLauncher())
    specs = [
        ChildSpec("here", Counter),
        ChildSpec("there", lambda: ProcessActor("counter:Counter", Nothing()), kind="process"),
    ]
    async with trio.open_nursery() as nursery:
        began = time.perf_counter()
        await nursery.start(node.run, ChildSpec("root", lambda: Supervisor(specs)))
        show("start of the tree with one process", (time.perf_counter() - began) * 1e3, "ms")
        for path, where in (("/here", "in process"), ("/there", "across")):
            ref = node.ref(path)
            await asks(ref, where)
            await streams(ref, where)
        await tells(node.ref("/here"), "in process")
        began = time.perf_counter()
        for _ in range(1000):
            node.snapshot()
        show("snapshot", (time.perf_counter() - began) * 1e3, "µs")
        node.stop()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    trio.run(main)
