"""The scheduler: leases on runners. A runner is a child, one OS process for each set of weights.

All decisions are taken in one task (`_arrange`), which is woken whenever something has changed: a
request came or went, a load ended, a runner died, a keep-alive ran out. A lease is a stream that
its holder keeps open, so nothing can be held by nobody.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import trio

from actorllm.actors.kernel import DynamicSupervisor, Exit
from actorllm.actors.queue.refusals import busy
from actorllm.actors.scheduler.fleet import Fleet
from actorllm.actors.scheduler.free import free_memory
from actorllm.actors.scheduler.listing import loaded_list
from actorllm.actors.scheduler.loading import CRASHES, Loading
from actorllm.actors.scheduler.rungs import Rungs, machine_id
from actorllm.actors.scheduler.runners import Runner, Waiter
from actorllm.actors.scheduler.terms import terms_of
from actorllm.actors.scheduler.waiting import Waiting
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.scheduling import (
    Acquire,
    Lease,
    ListLoaded,
    LoadedList,
    Proven,
    ProvenNoted,
    Unload,
    Unloaded,
)
from actorllm.protocol.settings import Settings

__all__ = ["Scheduler"]


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
        self._settings = settings
        self._entry = entry
        self._memory = memory
        self._fleet = Fleet(
            Rungs(settings.state / "rungs.json", machine_id()),
            changed=self._wake,
            warn=self._warn,
            in_thread=in_thread,
        )
        self._waiting = Waiting()
        self._loading: Loading | None = None
        self._changed = trio.Event()
        self._leases = 0

    async def started(self) -> None:
        await super().started()
        self.ctx.run(self._arrange)

    # Conversations

    async def acquire(self, m: Acquire) -> AsyncIterator[Lease]:
        """Wait for a slot; hold it until the stream is left."""
        if len(self._waiting) >= self._settings.max_queue:
            raise busy()
        waiter = Waiter(m, terms_of(m.model, m.options, self._settings), trio.current_time())
        self._waiting.push(waiter)
        self._wake()
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
        for runner in self._fleet:
            if m.lease in runner.leases:
                if not runner.proven:
                    runner.proven = True
                    await self._fleet.remember(runner.key, runner.rung)
                if runner.trial == m.lease:
                    runner.trial = None
                    self._wake()
        return ProvenNoted()

    async def list_loaded(self, m: ListLoaded) -> LoadedList:
        """What is loaded."""
        return loaded_list(self._fleet, trio.current_time(), time.time_ns())

    async def unload(self, m: Unload) -> Unloaded:
        """Let a model go as soon as it is idle."""
        runner = self._fleet.get(m.weights)
        if runner is None:
            return Unloaded(found=False)
        runner.keep_alive = 0.0
        self._wake()
        return Unloaded(found=True)

    # Arrangement

    def _wake(self) -> None:
        """Something has changed."""
        self._changed.set()

    async def _arrange(self) -> None:
        while True:
            with trio.move_on_at(self._fleet.next_expiry):
                await self._changed.wait()
            self._changed = trio.Event()
            self._grant()
            self._expire()
            self._load_next()

    def _grant(self) -> None:
        """Give free slots to those whose turn it is."""
        for key in self._waiting.wanted():
            runner = self._fleet.get(key)
            while runner is not None and (waiter := self._waiting.first(key)) is not None:
                if not runner.serves(waiter):
                    break
                self._leases += 1
                runner.lend(self._leases, self._waiting.take(key))

    def _let_go(self, waiter: Waiter) -> None:
        """A request is over, or has gone while it waited."""
        runner, lease = waiter.runner, waiter.lease
        if runner is None or lease is None:
            self._waiting.remove(waiter)
            if self._loading is not None and waiter.key not in self._waiting:
                self._loading.abandon(waiter.key)
        else:
            runner.take_back(lease, trio.current_time())
        self._wake()

    def _expire(self) -> None:
        """Unload what has been idle for longer than its keep-alive.

        If somebody waits for such a model, then on other terms: `_grant` came first.
        """
        now = trio.current_time()
        for runner in self._fleet:
            if runner.expires_at <= now:
                self._begin_unload(runner)

    def _begin_unload(self, runner: Runner) -> None:
        """Stop a runner; its entry goes when its process has ended."""
        if runner.state == "stopping":
            return
        self.ctx.log.info("unloading", model=runner.model.name)
        runner.state = "stopping"
        self.ctx.run(self._unload, runner)

    async def _unload(self, runner: Runner) -> None:
        await self.stop_child(runner.child)
        self._fleet.forget(runner)

    def _load_next(self) -> None:
        """Begin a load for who has waited longest, if none is under way."""
        if self._loading is not None:
            return
        for first in self._waiting.heads():
            current = self._fleet.get(first.key)
            if current is None:
                self._loading = self._load_for(first)
                self.ctx.run(self._load, self._loading)
                return
            if current.misfits(first) and not current.leases:
                self._begin_unload(current)  # loaded on other terms: it makes way
                return
            # It makes way when its requests have ended; meanwhile others may load.

    def _load_for(self, waiter: Waiter) -> Loading:
        return Loading(
            waiter,
            supervisor=self,
            fleet=self._fleet,
            settings=self._settings,
            entry=self._entry,
            memory=self._memory,
        )

    async def _load(self, loading: Loading) -> None:
        try:
            await loading.run()
        except Refused as e:
            self.ctx.log.warning("load failed", model=loading.name, error=e.problem.text)
            for waiter in self._waiting.take_all(loading.key):
                waiter.refuse(e.problem)
            await loading.clean_up()
        finally:
            self._loading = None
            self._wake()

    # Runners

    def _warn(self, event: str, **facts: Any) -> None:
        self.ctx.log.warning(event, **facts)

    async def child_ended(self, id_: str, exit_: Exit) -> None:
        runner = next((r for r in self._fleet if r.child == id_), None)
        if runner is None or runner.state == "loading":
            return  # the load sees it, too
        self.ctx.log.warning(
            "runner died", model=runner.model.name, exit=str(exit_), words=exit_.last_words[-1:]
        )
        if not runner.proven and exit_.signal in CRASHES:
            await self._fleet.step_down(runner.key, runner.rung)
        self._fleet.forget(runner)

    def info(self) -> Mapping[str, Any]:
        return {
            "loaded": [r.model.name for r in self._fleet if r.state == "ready"],
            "loading": self._loading.name if self._loading is not None else "",
            "waiting": len(self._waiting),
            "leases": sum(len(r.leases) for r in self._fleet),
        }
