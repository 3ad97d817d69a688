"""Supervisors: actors whose work is to start, watch, restart and stop their children.

    Supervisor          a fixed list of children, started in order and stopped in reverse
    DynamicSupervisor   children of like kind that come and go, each on its own

Whom to restart is decided in `decisions.py`; here it is carried out.
"""

import functools
from collections import deque
from collections.abc import Sequence

import attrs
import trio

from actorllm.actors.kernel.actor import Actor
from actorllm.actors.kernel.cell import Cell
from actorllm.actors.kernel.decisions import Plan, is_over_intensity, plan_after_exit
from actorllm.actors.kernel.errors import Escalated, StartFailed
from actorllm.actors.kernel.exits import Exit
from actorllm.actors.kernel.mailbox import Signal
from actorllm.actors.kernel.ref import Ref
from actorllm.actors.kernel.specs import Backoff, ChildSpec, Intensity, Restart, Strategy

__all__ = ["Child", "DynamicSupervisor", "Supervisor"]

_REMEMBERED = 256
"""Children that have gone and whose incarnations are still counted on, should their ids come back."""
_KILL_GRACE = 2.0
"""Seconds that a cancelled child has for its cleanup before it is given up."""


@attrs.define
class Child:
    """A child's place in its supervisor: it stays while incarnations come and go."""

    spec: ChildSpec
    cell: Cell | None = None
    stopping: bool = False
    """It is being stopped: its end is no news."""
    ended: bool = False
    """It ended by itself, and what follows was not decided yet."""
    incarnation: int = 0
    restarts: int = 0
    last_exit: str = ""


@attrs.frozen
class _ChildEnded(Signal):
    child: Child
    exit: Exit


@attrs.frozen
class _RestartDue(Signal):
    ids: tuple[str, ...]


class Supervisor(Actor):
    """Keeps a fixed list of children alive.

    Args:
        specs: The children, in start order.
        strategy: Who else is restarted with a child that failed.
        intensity: How many restarts are too many: then it stops all children and crashes itself,
            so that its own supervisor decides.
        backoff: The waits before restarts.
    """

    def __init__(
        self,
        specs: Sequence[ChildSpec] = (),
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: Intensity = Intensity(),  # noqa: B008 -- frozen
        backoff: Backoff = Backoff(),  # noqa: B008 -- frozen
    ) -> None:
        self._strategy = strategy
        self._intensity = intensity
        self._backoff = backoff
        self._specs = tuple(specs)
        self.children: dict[str, Child] = {}
        self._gone: dict[str, int] = {}
        self._restarts: deque[float] = deque(maxlen=intensity.restarts + 1)
        self._hurried = False

    async def started(self) -> None:
        for spec in self._specs:
            await self.start_child(spec)

    async def stopped(self) -> None:
        for id_ in reversed(tuple(self.children)):
            await self.stop_child(id_)

    def hurry(self) -> None:
        self._hurried = True
        for child in self.children.values():
            if child.stopping and child.cell is not None:
                child.cell.stop()

    # Children

    async def start_child(self, spec: ChildSpec) -> Ref:
        """Start a child and wait until it takes messages.

        Raises:
            StartFailed: Its start failed; it is not kept.
            ValueError: There is a child of that id.
        """
        if spec.id in self.children:
            raise ValueError(f"{self.ctx.path} has a child {spec.id!r} already")
        child = Child(spec, incarnation=self._gone.pop(spec.id, 0))
        self.children[spec.id] = child
        path = self.ctx.node.child_path(self.ctx.path, spec.id)
        exit_: Exit | None = Exit("stopped", "its start was cancelled")
        try:
            exit_ = await self._incarnate(child)
        finally:
            if exit_ is not None:
                self._forget(child)
        if exit_ is not None:
            raise StartFailed(path, exit_)
        return Ref(self.ctx.node, path, child.incarnation)

    def ref_of(self, id_: str) -> Ref:
        """The current incarnation of a child."""
        child = self.children[id_]
        path = self.ctx.node.child_path(self.ctx.path, id_)
        return Ref(self.ctx.node, path, child.incarnation)

    async def stop_child(self, id_: str) -> None:
        """Stop a child and forget it: Stop, a bounded wait, then cancellation."""
        child = self.children.get(id_)
        if child is None:
            return
        await self._stop_cell(child)
        self._forget(child)

    def _forget(self, child: Child) -> None:
        # Requests may overlap: another child may have its id by now.
        if self.children.get(child.spec.id) is child:
            del self.children[child.spec.id]
            self._gone[child.spec.id] = child.incarnation
            if len(self._gone) > _REMEMBERED:
                del self._gone[next(iter(self._gone))]

    async def _stop_cell(self, child: Child) -> None:
        cell = child.cell
        if cell is None:
            return
        child.stopping = True
        try:
            await self._end_cell(cell, child.spec.shutdown)
        except trio.Cancelled:
            child.stopping = False
            if cell.exit is not None and cell.finished.is_set():
                self._on_exit(child, cell, cell.exit)  # nobody else will tell of it
            raise
        child.stopping = False
        if child.cell is cell:
            child.cell = None

    async def _end_cell(self, cell: Cell, seconds: float) -> None:
        if seconds > 0:
            cell.stop()
            if self._hurried:
                cell.stop()
            with trio.move_on_after(seconds):
                await cell.finished.wait()
        if not cell.finished.is_set():
            cell.scope.cancel()
            with trio.CancelScope(shield=True, deadline=trio.current_time() + _KILL_GRACE):
                await cell.finished.wait()
        if not cell.finished.is_set():
            self.ctx.log.error("child does not end", child=cell.path)

    async def _incarnate(self, child: Child) -> Exit | None:
        """Start the next incarnation; returns why it could not, or None."""
        node = self.ctx.node
        child.incarnation += 1
        path = node.child_path(self.ctx.path, child.spec.id)
        cell = Cell(node, path, child.spec, child.incarnation)
        node.register(cell)
        child.cell = cell
        await self.ctx.start_cell(cell)
        if cell.exit is not None and not cell.was_started:
            child.last_exit = str(cell.exit)
            if child.cell is cell:
                child.cell = None
            return cell.exit
        cell.watch(functools.partial(self._on_exit, child, cell))
        return None

    def _on_exit(self, child: Child, cell: Cell, exit_: Exit) -> None:
        child.last_exit = str(exit_)
        if child.cell is cell and not child.stopping:
            child.cell = None
            child.ended = True
            self.ctx.signal(_ChildEnded(child, exit_))

    # Restarts

    async def on_signal(self, signal: Signal) -> None:
        if isinstance(signal, _ChildEnded):
            signal.child.ended = False
            await self._after_exit(signal.child, signal.exit)
        elif isinstance(signal, _RestartDue):
            await self._restart(signal.ids)

    async def _after_exit(self, child: Child, exit_: Exit) -> None:
        if self.children.get(child.spec.id) is not child:
            return  # it was stopped on request meanwhile
        order = [(c.spec.id, c.spec.restart) for c in self.children.values()]
        plan = plan_after_exit(self._strategy, order, child.spec.id, exit_)
        await self.child_ended(child.spec.id, exit_)
        if plan.forget:
            self._forget(child)
            return
        self.ctx.log.warning(
            "child ended, restarting",
            child=child.spec.id,
            exit=str(exit_),
            together_with=list(plan.stop),
        )
        for sibling in [self.children[id_] for id_ in plan.stop]:
            await self._stop_cell(sibling)
            if sibling.spec.restart is Restart.TEMPORARY:
                self._forget(sibling)
        await self._schedule(plan)

    async def child_ended(self, id_: str, exit_: Exit) -> None:
        """Hook: a child ended by itself. Before any restart."""

    async def _schedule(self, plan: Plan) -> None:
        now = trio.current_time()
        self._restarts.append(now)
        if is_over_intensity(self._restarts, now, self._intensity):
            await self._give_up()
        recent = sum(1 for t in self._restarts if now - t <= self._intensity.seconds)
        delay = self._backoff.delay(recent, self.ctx.node.random.random())
        self.ctx.run(self._restart_later, _RestartDue(plan.start), delay)

    async def _restart_later(self, due: _RestartDue, delay: float) -> None:
        await trio.sleep(delay)
        self.ctx.signal(due)

    async def _restart(self, ids: Sequence[str]) -> None:
        for at, id_ in enumerate(ids):
            if any(child.ended for child in self.children.values()):
                # Whoever ended comes first: its plan may stop some of these, or all.
                self.ctx.signal(_RestartDue(tuple(ids[at:])))
                return
            child = self.children.get(id_)
            if child is None or child.cell is not None:
                continue
            if self._strategy is not Strategy.ONE_FOR_ONE and self._waits_for_elders(id_):
                return  # an elder sibling failed; its own restart brings these back, too
            child.restarts += 1
            self.ctx.node.count("restarts")
            exit_ = await self._incarnate(child)
            if exit_ is not None:
                await self._after_exit(child, exit_)
                return

    def _waits_for_elders(self, id_: str) -> bool:
        for elder, child in self.children.items():
            if elder == id_:
                return False
            if child.cell is None:
                return True
        return False

    async def _give_up(self) -> None:
        path, limit = self.ctx.path, self._intensity
        text = f"more than {limit.restarts} restarts in {limit.seconds:g} s"
        self.ctx.log.error("supervisor gives up", reason=text)
        await self.stopped()
        raise Escalated(path, Exit("crashed", text))


class DynamicSupervisor(Supervisor):
    """Children that are started on request; they fail and are restarted one by one."""
