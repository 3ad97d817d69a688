"""The scheduler: leases on runners. A runner is a child, one OS process for each set of weights.

All decisions are taken in one task (`_arrange`), which is woken whenever something has changed: a
request came or went, a load ended, a runner died, a keep-alive ran out. A lease is a stream that
its holder keeps open, so nothing can be held by nobody.
"""

import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import trio

from actorllm.actors.kernel import DynamicSupervisor, Exit
from actorllm.actors.queue.fairness import FairQueue
from actorllm.actors.queue.refusals import busy
from actorllm.actors.runner.engine.ladder import next_rung
from actorllm.actors.scheduler.free import free_memory
from actorllm.actors.scheduler.loading import CRASHES, Loading
from actorllm.actors.scheduler.rungs import Rungs, machine_id
from actorllm.actors.scheduler.runners import Runner, Waiter
from actorllm.actors.scheduler.terms import suits, terms_of
from actorllm.protocol.errors import Problem, Refused
from actorllm.protocol.messages.scheduling import (
    Acquire,
    Lease,
    ListLoaded,
    LoadedList,
    LoadedModel,
    Proven,
    ProvenNoted,
    Unload,
    Unloaded,
)
from actorllm.protocol.settings import Settings

__all__ = ["Scheduler"]

_NS = 1_000_000_000
_DEFAULT_MOST_LOADED = 3
_FOREVER_NS = 2**63 - 1


class Scheduler(DynamicSupervisor):
    """Gives requests slots on runners; loads and unloads models for that.

    Args:
        settings: Of the daemon.
        entry: `module:Class` of the actor that runs in a runner's process.
        memory: Returns the bytes of memory that are free now.
        in_thread: Runs what blocks; simulations have no threads.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        entry: str = "actorllm.actors.runner.actor:Runner",
        memory: Callable[[], int] = free_memory,
        in_thread: Callable[..., Awaitable[Any]] = trio.to_thread.run_sync,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.entry = entry
        self.memory = memory
        self._in_thread = in_thread
        self.most_loaded = settings.max_loaded_models or _DEFAULT_MOST_LOADED
        self.runners: dict[str, Runner] = {}
        self.waiting: dict[str, FairQueue[Waiter]] = {}
        self.rungs = Rungs(settings.state / "rungs.json", machine_id())
        self._loading: Loading | None = None
        self._changed = trio.Event()
        self._born = 0
        self._leases = 0

    async def started(self) -> None:
        await super().started()
        self.ctx.run(self._arrange)

    # Conversations

    async def acquire(self, m: Acquire) -> AsyncIterator[Lease]:
        """Wait for a slot; hold it until the stream is left."""
        if sum(map(len, self.waiting.values())) >= self.settings.max_queue:
            raise busy()
        waiter = Waiter(m, terms_of(m.model, m.options, self.settings), trio.current_time())
        # Somebody whose runner died had its turn already: it does not wait behind new requests.
        self.waiting.setdefault(waiter.key, FairQueue()).push(m.client, waiter, front=m.suspect)
        self.wake()
        try:
            await waiter.answered.wait()
            if waiter.problem is not None:
                raise Refused(waiter.problem)
            assert waiter.lease is not None
            yield waiter.lease
            await trio.sleep_forever()
        finally:
            self._let_go(waiter)

    async def proven(self, m: Proven) -> ProvenNoted:
        """A token came: the runner works, and its suspect is none."""
        for runner in self.runners.values():
            if m.lease in runner.leases:
                if not runner.proven:
                    runner.proven = True
                    await self.remember(runner.key, runner.rung)
                if runner.trial == m.lease:
                    runner.trial = None
                    self.wake()
        return ProvenNoted()

    async def list_loaded(self, m: ListLoaded) -> LoadedList:
        """What is loaded."""
        now, wall = trio.current_time(), time.time_ns()
        rows = [
            LoadedModel(
                name=r.model.name,
                digest=r.model.digest,
                size=r.size,
                size_vram=0,
                expires_at=_expiry(r, now, wall),
                context_length=r.num_ctx,
                details=r.model.details,
            )
            for r in self.runners.values()
            if r.state == "ready"
        ]
        return LoadedList(tuple(sorted(rows, key=lambda row: -row.expires_at)))

    async def unload(self, m: Unload) -> Unloaded:
        """Let a model go as soon as it is idle."""
        runner = self.runners.get(m.weights)
        if runner is None:
            return Unloaded(found=False)
        runner.keep_alive = 0.0
        self.wake()
        return Unloaded(found=True)

    # Arrangement

    def wake(self) -> None:
        """Something has changed."""
        self._changed.set()

    async def _arrange(self) -> None:
        while True:
            deadline = min((r.expires_at for r in self.runners.values()), default=math.inf)
            with trio.move_on_at(deadline):
                await self._changed.wait()
            self._changed = trio.Event()
            self._grant()
            self._expire()
            self._load_next()

    def _grant(self) -> None:
        """Give free slots to those whose turn it is."""
        for key, queue in tuple(self.waiting.items()):
            runner = self.runners.get(key)
            while (waiter := queue.peek()) is not None:
                if runner is None or not self._may_start(runner, waiter):
                    break
                queue.pop()
                self._lease(runner, waiter)
            if not queue:
                del self.waiting[key]

    @staticmethod
    def _may_start(runner: Runner, waiter: Waiter) -> bool:
        return (
            runner.state == "ready"
            and not runner.draining
            and len(runner.leases) < runner.slots
            and suits(runner.terms, waiter.terms)
            and not (waiter.request.suspect and runner.trial is not None)
        )

    def _lease(self, runner: Runner, waiter: Waiter) -> None:
        self._leases += 1
        request = waiter.request
        assert runner.ref is not None
        assert runner.ref.incarnation is not None
        if request.keep_alive is not None:
            runner.keep_alive = _seconds(request.keep_alive)
        if request.suspect:
            runner.trial = self._leases
        took = 0.0 if runner.load_reported else runner.load_seconds
        runner.load_reported = True
        runner.idle_since = None
        runner.leases[self._leases] = waiter
        waiter.grant(
            Lease(
                id=self._leases,
                runner=runner.ref.path,
                incarnation=runner.ref.incarnation,
                num_ctx=runner.num_ctx,
                load_duration=max(int(took * _NS), 1_000),
                unproven=not runner.proven or request.suspect,
                notices=runner.notices,
                window=waiter.terms.window(runner.num_ctx),
            ),
            runner,
        )

    def _let_go(self, waiter: Waiter) -> None:
        """A request is over, or has gone while it waited."""
        runner, lease = waiter.runner, waiter.lease
        if runner is None or lease is None:
            queue = self.waiting.get(waiter.key)
            if queue is not None:
                queue.remove(waiter.request.client, waiter)
                if not queue:
                    del self.waiting[waiter.key]
            if self._loading is not None and waiter.key not in self.waiting:
                self._loading.abandon(waiter.key)
        else:
            runner.leases.pop(lease.id, None)
            if runner.trial == lease.id:
                runner.trial = None
            if not runner.leases:
                runner.idle_since = trio.current_time()
        self.wake()

    def _expire(self) -> None:
        """Unload what has been idle for longer than its keep-alive.

        If somebody waits for such a model, then on other terms: `_grant` came first.
        """
        now = trio.current_time()
        for runner in tuple(self.runners.values()):
            if runner.expires_at <= now:
                self.begin_unload(runner)

    def begin_unload(self, runner: Runner) -> None:
        """Stop a runner; its entry goes when its process has ended."""
        if runner.state == "stopping":
            return
        self.ctx.log.info("unloading", model=runner.model.name)
        runner.state = "stopping"
        self.ctx.run(self._unload, runner)

    async def _unload(self, runner: Runner) -> None:
        await self.stop_child(runner.child)
        self.forget(runner)

    def forget(self, runner: Runner) -> None:
        """The runner is no more."""
        if self.runners.get(runner.key) is runner:
            del self.runners[runner.key]
        runner.gone.set()
        self.wake()

    def _load_next(self) -> None:
        """Begin a load for who has waited longest, if none is under way."""
        if self._loading is not None:
            return
        heads = [q.peek() for k, q in self.waiting.items() if self._wants_load(k, q.peek())]
        for first in sorted((w for w in heads if w is not None), key=lambda w: w.since):
            current = self.runners.get(first.key)
            if current is None:
                self._loading = Loading(self, first)
                self.ctx.run(self._load, self._loading)
                return
            if not current.leases:
                self.begin_unload(current)  # loaded on other terms: it makes way
                return
            # It makes way when its requests have ended; meanwhile others may load.

    def _wants_load(self, key: str, waiter: Waiter | None) -> bool:
        if waiter is None:
            return False
        runner = self.runners.get(key)
        return runner is None or (runner.state == "ready" and not suits(runner.terms, waiter.terms))

    async def _load(self, loading: Loading) -> None:
        try:
            await loading.run()
        finally:
            self._loading = None
            self.wake()

    def refuse_all(self, key: str, problem: Problem) -> None:
        """Tell all who wait for a model that it cannot be had."""
        for waiter in self.waiting.pop(key, ()):
            waiter.refuse(problem)

    # Runners

    def next_child(self, name: str) -> str:
        """An id for a runner: it names the model for the eye."""
        self._born += 1
        clean = "".join(c if c.isalnum() or c in "._-" else "-" for c in name)
        return f"{clean}-{self._born}"

    async def evict(self, key: str) -> None:
        """Unload a model, after its requests have ended, and wait until it has gone."""
        runner = self.runners.get(key)
        if runner is None:
            return
        runner.draining = True
        self.wake()
        await runner.gone.wait()

    async def child_ended(self, id_: str, exit_: Exit) -> None:
        runner = next((r for r in self.runners.values() if r.child == id_), None)
        if runner is None or runner.state == "loading":
            return  # the load sees it, too
        self.ctx.log.warning(
            "runner died", model=runner.model.name, exit=str(exit_), words=exit_.last_words[-1:]
        )
        if not runner.proven and exit_.signal in CRASHES:
            await self.step_down(runner.key, runner.rung)
        self.forget(runner)

    async def step_down(self, key: str, rung: int) -> int | None:
        """Remember the next rung for weights that crashed their runner; None: there is none."""
        lower = next_rung(rung)
        if lower is not None:
            self.ctx.log.warning("stepping down the degrade ladder", rung=lower)
            await self.remember(key, lower)
        return lower

    async def remember(self, key: str, rung: int) -> None:
        """Keep the rung of a model; a disk that is full costs the memory, not the model."""
        try:
            await self._in_thread(self.rungs.remember, key, rung)
        except OSError as e:
            self.ctx.log.warning("cannot remember the rung", error=e.strerror)

    def info(self) -> Mapping[str, Any]:
        return {
            "loaded": [r.model.name for r in self.runners.values() if r.state == "ready"],
            "loading": self._loading.name if self._loading is not None else "",
            "waiting": sum(map(len, self.waiting.values())),
            "leases": sum(len(r.leases) for r in self.runners.values()),
        }

    def evictable(self) -> list[Runner]:
        """Those that could make room."""
        return [r for r in self.runners.values() if r.state != "loading"]


def _seconds(keep_alive: int) -> float:
    return math.inf if keep_alive < 0 else keep_alive / _NS


def _expiry(runner: Runner, now: float, wall: int) -> int:
    """Unix nanoseconds; for a busy runner, as if it became idle now."""
    idle = runner.idle_since if runner.idle_since is not None else now
    left = idle + runner.keep_alive - now
    if math.isinf(left):
        return _FOREVER_NS
    return min(wall + int(left * _NS), _FOREVER_NS)
