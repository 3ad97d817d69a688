"""Whole systems in virtual time: a run is a function of its seed.

    report = simulate(7, tree, driver, plan=random_plan(7))
    assert report.counters.doubled == 0

Time is trio's mock clock, which jumps ahead whenever all tasks wait; the scheduler's choices come
from the seed; process actors are tasks behind in-memory transports. A failing run names its seed,
and the same seed makes the same run, event by event (`Report.digest`).

Threads, real sockets and real processes are outside: a system that uses them still runs, but is
not replayed exactly.
"""

import hashlib
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, Generic, Never, TypeVar

import attrs
import structlog
import trio
import trio.testing
from trio._core import _run as trio_run

from actorllm.actors.kernel.cell import Cell
from actorllm.actors.kernel.exits import Exit
from actorllm.actors.kernel.fault_plan import FaultPlan
from actorllm.actors.kernel.faults import FaultInjector
from actorllm.actors.kernel.in_memory import MemoryLauncher
from actorllm.actors.kernel.insight import Counters, DeadLetter
from actorllm.actors.kernel.mailbox import Envelope
from actorllm.actors.kernel.node import Node
from actorllm.actors.kernel.specs import ChildSpec

__all__ = ["Report", "Simulation", "Stuck", "simulate"]

T = TypeVar("T")

_KEPT = 30
"""Newest events and log lines that a failure shows."""


class Stuck(Exception):  # noqa: N818 -- names say what happened, as the kernel's errors do
    """A simulation did not end within its bounds."""


@attrs.frozen
class Simulation:
    """What a driver has at hand."""

    seed: int
    node: Node
    random: random.Random
    """For the driver's own choices."""
    injector: FaultInjector


@attrs.frozen
class Report(Generic[T]):
    """What came of a run."""

    seed: int
    result: T
    """What the driver returned."""
    exit: Exit
    """Of the root."""
    counters: Counters
    dead_letters: tuple[DeadLetter, ...]
    """The newest ones."""
    faults: Mapping[str, int]
    """Faults that were put in, by title such as `deliver.drop`."""
    seconds: float
    """Virtual time."""
    events: int
    """Starts, deliveries and messages taken up."""
    digest: str
    """SHA-256 of all events with their times: equal for equal runs."""


def simulate(
    seed: int,
    root: Callable[[], ChildSpec],
    driver: Callable[[Simulation], Awaitable[T]],
    *,
    plan: FaultPlan | None = None,
    limit: float = 3600.0,
    max_events: int = 200_000,
) -> Report[T]:
    """Run a system from a seed until its driver returns, then stop it.

    Args:
        seed: Of everything that is by chance.
        root: Makes the spec of the tree.
        driver: Uses the system; an exception that it raises fails the run.
        plan: Faults; they strike from when the tree has started.
        limit: Virtual seconds after which the run is stuck.
        max_events: Events after which the run is stuck.

    Raises:
        Stuck: The run went over a bound.
        Exception: What the driver raised, with a note that tells seed, plan and last events.
    """
    run = _Run(seed, plan or FaultPlan(seed=seed), max_events)
    clock = trio.testing.MockClock(autojump_threshold=0)
    try:
        with _deterministic(seed), _captured_logs(run.newest):
            return trio.run(run.main, root, driver, limit, clock=clock)
    except Exception as e:
        rules = "".join(f"\n  {rule}" for rule in run.plan.rules)
        e.add_note(f"simulation seed {seed}, {len(run.plan.rules)} fault rules{rules}")
        e.add_note("the last events were\n  " + "\n  ".join(run.newest))
        raise


@contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    """Let trio's scheduler take its choices from the seed, as Hypothesis does under trio."""
    before = trio_run._r, trio_run._ALLOW_DETERMINISTIC_SCHEDULING  # noqa: SLF001 -- its only door
    vars(trio_run).update(_r=random.Random(seed), _ALLOW_DETERMINISTIC_SCHEDULING=True)  # noqa: S311
    try:
        yield
    finally:
        vars(trio_run).update(_r=before[0], _ALLOW_DETERMINISTIC_SCHEDULING=before[1])


@contextmanager
def _captured_logs(lines: deque[str]) -> Iterator[None]:
    """Keep the newest log lines in place of printing all of them."""

    def keep(_: Any, level: str, event: MutableMapping[str, Any]) -> Never:
        facts = " ".join(f"{key}={value}" for key, value in event.items() if key != "event")
        lines.append(f"[{level}] {event.get('event')} {facts}")
        raise structlog.DropEvent

    config = structlog.get_config()
    structlog.configure(processors=[keep])
    try:
        yield
    finally:
        structlog.configure(**config)


class _Run:
    """One simulation; it sees all events as the node's `FaultHook`, in front of the injector."""

    def __init__(self, seed: int, plan: FaultPlan, max_events: int) -> None:
        self.seed = seed
        self.plan = plan
        self.newest: deque[str] = deque(maxlen=_KEPT)
        self.events = 0
        self._injector = FaultInjector(plan, active=False)
        self._digest = hashlib.sha256()
        self._max_events = max_events
        self._scope = trio.CancelScope()

    async def main(
        self,
        root: Callable[[], ChildSpec],
        driver: Callable[[Simulation], Awaitable[T]],
        limit: float,
    ) -> Report[T]:
        result: list[T] = []
        failure: Exception | None = Stuck(
            f"not done after {limit:g} s or {self._max_events} events"
        )
        began = trio.current_time()
        ended = Exit("stopped", "stuck")
        self._scope.deadline = began + limit
        async with trio.open_nursery() as processes:
            node = Node(
                "simulation", launcher=MemoryLauncher(processes), faults=self, seed=self.seed
            )

            async def live(*, task_status: trio.TaskStatus[Any]) -> None:
                nonlocal ended
                ended = await node.run(root(), task_status=task_status)

            with self._scope:
                async with trio.open_nursery() as nursery:
                    await nursery.start(live)
                    self._injector.active = True
                    chance = random.Random(self.seed)  # noqa: S311 -- replayed on purpose
                    try:
                        sim = Simulation(self.seed, node, chance, self._injector)
                        result.append(await driver(sim))
                        failure = None
                    except Exception as e:  # noqa: BLE001 -- raised below, bare
                        failure = e
                    node.stop()
            processes.cancel_scope.cancel()
        if self._scope.cancelled_caught and failure is None:
            failure = Stuck(f"the tree did not stop within {limit:g} s")
        if failure is not None:
            raise failure
        return self._report(node, result[0], ended, trio.current_time() - began)

    def _report(self, node: Node, result: T, ended: Exit, seconds: float) -> Report[T]:
        return Report(
            seed=self.seed,
            result=result,
            exit=ended,
            counters=node.counters(),
            dead_letters=tuple(node.dead_letters.newest),
            faults=dict(self._injector.counts),
            seconds=seconds,
            events=self.events,
            digest=self._digest.hexdigest(),
        )

    def _record(self, what: str, path: str, tag: str = "") -> None:
        line = f"{trio.current_time():.6f} {what} {path} {tag}"
        self._digest.update(line.encode())
        self.newest.append(line)
        self.events += 1
        if self.events >= self._max_events:
            self._scope.cancel()

    # The node's fault hook

    @property
    def title(self) -> str:
        return self._injector.title

    def on_deliver(
        self, node: Node, path: str, incarnation: int | None, envelope: Envelope
    ) -> bool:
        self._record("deliver", path, envelope.tag)
        return self._injector.on_deliver(node, path, incarnation, envelope)

    async def before_handle(self, cell: Cell, envelope: Envelope) -> None:
        self._record("handle", cell.path, envelope.tag)
        await self._injector.before_handle(cell, envelope)

    async def before_spawn(self, cell: Cell) -> None:
        self._record("spawn", cell.path, str(cell.incarnation))
        await self._injector.before_spawn(cell)

    def wrap_link(self, path: str, stream: trio.abc.Stream) -> trio.abc.Stream:
        return self._injector.wrap_link(path, stream)
