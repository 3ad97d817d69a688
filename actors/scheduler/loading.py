"""One load: make room, start a process, load the weights; after a crash, one rung lower."""

import signal
from collections.abc import Callable

import attrs
import trio

from actorllm.actors.kernel import (
    ActorDied,
    ChildSpec,
    DynamicSupervisor,
    Exit,
    KernelError,
    Restart,
    StartFailed,
)
from actorllm.actors.kernel.process import ProcessActor
from actorllm.actors.queue.verdict import ending
from actorllm.actors.runner.engine.types import EngineSettings
from actorllm.actors.runner.messages import Load, LoadReport, RunnerArgs
from actorllm.actors.scheduler.fleet import Fleet
from actorllm.actors.scheduler.room import make_room
from actorllm.actors.scheduler.runners import Runner, Waiter
from actorllm.actors.scheduler.shape import engine_settings, fitted, need, rung_notice
from actorllm.protocol.errors import Problem, Refused
from actorllm.protocol.settings import Settings

__all__ = ["CRASHES", "Loading"]

_DEFAULT_MOST_LOADED = 3
"""Models, when nobody says how many."""
_TRIES_ON_A_RUNG = 3
"""Processes that may be killed from outside before a load is given up."""
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_GRACE_SECONDS = 4.5
"""For a runner to end its pass and put its prefixes on disk, before it is terminated."""
_CLEAN_UP_SECONDS = 2 * _STOP_SECONDS
"""More than a runner has to stop: a stop that is cut short would leave its process behind."""
CRASHES = frozenset(
    {signal.SIGSEGV, signal.SIGILL, signal.SIGBUS, signal.SIGFPE, signal.SIGABRT, signal.SIGTRAP}
)
"""Signals by which a process ends of its own doing."""
_GIB = 1024**3


class Loading:
    """The load of one model, from the first process to the one that is ready.

    Args:
        waiter: Who wants it.
        supervisor: Gets the runner as a child.
        fleet: Has the other runners.
        settings: Of the daemon.
        entry: `module:Class` of the actor that runs in a runner's process.
        memory: Returns the bytes of memory that are free now.
    """

    def __init__(
        self,
        waiter: Waiter,
        *,
        supervisor: DynamicSupervisor,
        fleet: Fleet,
        settings: Settings,
        entry: str,
        memory: Callable[[], int],
    ) -> None:
        self._model = waiter.request.model
        self._terms = waiter.terms
        self._supervisor = supervisor
        self._log = supervisor.ctx.log
        self._fleet = fleet
        self._settings = settings
        self._entry = entry
        self._memory = memory
        self._scope = trio.CancelScope()

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def key(self) -> str:
        return self._model.weights.digest

    def abandon(self, key: str) -> None:
        """Nobody waits for the weights of this digest any more."""
        if key == self.key:
            self._scope.cancel()

    async def run(self) -> None:
        """Load, unless it is abandoned.

        Raises:
            Refused: The model cannot be had; `clean_up` is still to be called.
        """
        runner: Runner | None = None
        with self._scope:
            runner = await self._climb_down()
        if runner is None:
            await self.clean_up()
            return
        runner.state = "ready"
        runner.idle_since = trio.current_time()
        self._log.info(
            "loaded",
            model=self.name,
            seconds=round(runner.load_seconds, 3),
            num_ctx=runner.num_ctx,
            slots=runner.slots,
            rung=runner.rung,
        )

    async def clean_up(self) -> None:
        """Stop a runner that has not become ready."""
        runner = self._fleet.get(self.key)
        if runner is not None and runner.state == "loading":
            with trio.CancelScope(shield=True, deadline=trio.current_time() + _CLEAN_UP_SECONDS):
                await self._supervisor.stop_child(runner.child)
            self._fleet.forget(runner)

    async def _climb_down(self) -> Runner:
        first = rung = self._fleet.rung(self.key)
        tries = 0
        while True:
            tries += 1
            engine = self._engine(rung)
            await self._make_room(engine)
            try:
                return await self._load_once(engine, rung)
            except (ActorDied, StartFailed) as e:
                await self.clean_up()
                self._log.warning("runner died while loading", exit=str(e.exit), rung=rung)
                by_itself = e.exit.signal in CRASHES or e.exit.kind == "crashed"
                lower = await self._fleet.step_down(self.key, rung) if by_itself else rung
                if lower is None or tries >= _TRIES_ON_A_RUNG * (rung + 1):
                    await self._fleet.remember(self.key, first)  # no rung has helped
                    raise Refused(_load_problem(self.name, e.exit)) from None
                rung = lower
            except KernelError as e:  # the runner did not take the load up
                await self.clean_up()
                self._log.warning("runner does not load", error=str(e))
                if tries >= _TRIES_ON_A_RUNG:
                    raise Refused.because(
                        500, f"the runner of {self.name!r} does not answer; try again"
                    ) from None

    def _engine(self, rung: int) -> EngineSettings:
        engine = engine_settings(self._model, self._terms, self._settings, rung)
        idle = sum(r.size for r in self._fleet.evictable() if not r.leases)
        return fitted(self._model, engine, self._settings, self._memory(), idle)

    async def _make_room(self, engine: EngineSettings) -> None:
        needed = need(self._model, engine).total
        most = self._settings.max_loaded_models or _DEFAULT_MOST_LOADED
        while True:
            candidates = [r.candidate() for r in self._fleet.evictable()]
            free = self._memory()
            room = make_room(needed, free, most, candidates)
            if room.action == "load":
                return
            if room.action == "refuse":
                raise Refused.because(
                    500,
                    f"model requires more system memory ({needed / _GIB:.1f} GiB) than is available "
                    f"({free / _GIB:.1f} GiB); lower num_ctx or use a smaller quantization",
                )
            self._log.info("evicting to make room", key=room.key[:19], needed=needed)
            await self._fleet.evict(room.key)

    async def _load_once(self, engine: EngineSettings, rung: int) -> Runner:
        began = trio.current_time()
        runner = Runner(
            model=self._model,
            terms=self._terms,
            rung=rung,
            size=need(self._model, engine).total,
            keep_alive=self._settings.keep_alive,
            child=self._fleet.next_child(self.name),
        )
        self._fleet.add(runner)
        runner.ref = await self._supervisor.start_child(
            _spec(runner.child, self._entry, RunnerArgs(engine, runner.size))
        )
        report = await self._follow(runner)
        if report.deterministic:  # a load on deterministic terms would be no better
            runner.terms = attrs.evolve(runner.terms, deterministic=True)
        runner.num_ctx = report.num_ctx
        runner.slots = report.slots
        runner.notices = (*rung_notice(rung), *report.notices)
        runner.load_seconds = trio.current_time() - began
        return runner

    async def _follow(self, runner: Runner) -> LoadReport:
        """Wait for the end of a load that goes on as long as it makes progress."""
        limit = self._settings.load_timeout
        assert runner.ref is not None
        async with runner.ref.stream(Load()) as reports:
            while True:
                with trio.move_on_after(limit) as scope:
                    report = await anext(reports, None)
                if scope.cancelled_caught:
                    self._log.warning(
                        "a load makes no progress", fault="stalled", model=self.name, seconds=limit
                    )
                    raise Refused.because(
                        500,
                        f"loading {self.name!r} made no progress for {limit:g} s; "
                        "set ACTORLLM_LOAD_TIMEOUT to wait longer",
                    )
                if report is None:
                    raise KernelError("it ended the load without a word")
                if report.ready:
                    return report


def _spec(child: str, entry: str, args: RunnerArgs) -> ChildSpec:
    return ChildSpec(
        id=child,
        start=lambda: ProcessActor(entry, args, grace=_GRACE_SECONDS),
        restart=Restart.TEMPORARY,
        shutdown=_STOP_SECONDS,
        start_timeout=_START_SECONDS,
        kind="process",
        max_messages=4096,
    )


def _load_problem(name: str, exit_: Exit) -> Problem:
    return Problem(
        500,
        f"the runner of {name!r} died while loading ({ending(exit_)}); "
        "see the daemon's log, or try another quantization",
    )
