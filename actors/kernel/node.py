"""A node: all actors of one process, the registry of their names, and what they have in common."""

import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

import structlog
import trio

from actorllm.actors.kernel.cell import Cell
from actorllm.actors.kernel.errors import MailboxFull, StartFailed
from actorllm.actors.kernel.exits import Address, Down, Exit
from actorllm.actors.kernel.insight import (
    ActorSnapshot,
    Counters,
    DeadLetter,
    DeadLetters,
    NodeSnapshot,
)
from actorllm.actors.kernel.logs import debugging
from actorllm.actors.kernel.mailbox import Envelope, Kind
from actorllm.actors.kernel.ports import Failure, Pipe, Promise, fail_port, failure_of
from actorllm.actors.kernel.ref import Ref
from actorllm.actors.kernel.specs import ChildSpec
from actorllm.actors.kernel.supervisor import Child, Supervisor
from actorllm.actors.kernel.trace import new_trace, trace_id
from actorllm.protocol.codec import Message, encode

if TYPE_CHECKING:
    from actorllm.actors.kernel.launch import Launcher

__all__ = ["FaultHook", "Node"]


class FaultHook(Protocol):
    """Where faults are put in; see `faults.py`. A node without one pays nothing for it."""

    @property
    def title(self) -> str:
        """One line for logs and the live tree."""

    def on_deliver(
        self, node: "Node", path: str, incarnation: int | None, envelope: Envelope
    ) -> bool:
        """Take a delivery over? True: the hook drops it or delivers it by itself."""

    async def before_handle(self, cell: Cell, envelope: Envelope) -> None:
        """Crash, hang or kill the actor before it handles a message."""

    async def before_spawn(self, cell: Cell) -> None:
        """Make a start slow, or raise to make it fail."""

    def wrap_link(self, path: str, stream: trio.abc.Stream) -> trio.abc.Stream:
        """Cut or stall the transport to a child process."""


class Node:
    """The actors of one process.

    Args:
        name: For logs and snapshots.
        launcher: How process actors are started; None: this node has none.
        faults: Faults to put in; None: none.
        seed: Of the jitter; None: random.
        root_path: Where the tree hangs; a child process has the path that its parent knows it by.
    """

    def __init__(
        self,
        name: str = "node",
        *,
        launcher: "Launcher | None" = None,
        faults: FaultHook | None = None,
        seed: int | None = None,
        root_path: str = "/",
    ) -> None:
        self.name = name
        self._root_path = root_path
        self.launcher = launcher
        self.faults = faults
        self.random = random.Random(seed)  # noqa: S311 -- jitter, not secrets
        self.dead_letters = DeadLetters()
        self.log: structlog.stdlib.BoundLogger = structlog.get_logger("actorllm").bind(node=name)
        self.logs_messages = debugging()
        """Read once: each message would pay for the question."""
        self._cells: dict[str, Cell] = {}
        self._counts: dict[str, int] = {}
        self._next_id = 0
        self._root: Cell | None = None
        self._began = 0.0
        self._nursery: trio.Nursery | None = None

    # Life

    async def run(
        self, root: ChildSpec, *, task_status: trio.TaskStatus[Ref] = trio.TASK_STATUS_IGNORED
    ) -> Exit:
        """Run the tree under `root` until it has ended.

        Raises:
            StartFailed: The root could not be started.
        """
        self._began = trio.current_time()
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            cell = self._root = Cell(self, self._root_path, root, 1)
            self.register(cell)
            await nursery.start(cell.run)
            if cell.was_started:
                task_status.started(Ref(self, cell.path, 1))
                await cell.finished.wait()
            nursery.cancel_scope.cancel()
        assert cell.exit is not None
        if not cell.was_started:
            raise StartFailed(cell.path, cell.exit)
        return cell.exit

    def stop(self) -> None:
        """Ask the root to end, again: to hurry; `run` returns when everything has ended."""
        if self._root is not None:
            self._root.stop()

    def run_task(self, task: Callable[..., Awaitable[None]], *args: object) -> None:
        """Run a task of the kernel beside the tree."""
        if self._nursery is None:
            raise RuntimeError("the node does not run")
        self._nursery.start_soon(task, *args)

    # Names

    @staticmethod
    def child_path(parent: str, id_: str) -> str:
        """The path of a child; the root's own is `/`."""
        return f"{parent.rstrip('/')}/{id_}"

    def ref(self, path: str) -> Ref:
        """A reference by name."""
        return Ref(self, path)

    def find(self, path: str, incarnation: int | None = None) -> Cell | None:
        """Who lives there now."""
        cell = self._cells.get(path)
        if cell is None or (incarnation is not None and cell.incarnation != incarnation):
            return None
        return cell

    def register(self, cell: Cell) -> None:
        self._cells[cell.path] = cell

    def unregister(self, cell: Cell) -> None:
        if self._cells.get(cell.path) is cell:
            del self._cells[cell.path]

    def monitor(self, ref: Ref, watcher: Cell) -> None:
        """Send `watcher` one `Down` when the actor ends."""
        cell = self.find(ref.path, ref.incarnation)

        def forget(_: Exit) -> None:
            if cell is not None:
                cell.unwatch(down)

        def down(exit_: Exit) -> None:
            watcher.unwatch(forget)
            if watcher.exit is not None:
                return
            who = Address(ref.path, cell.incarnation if cell is not None else ref.incarnation or 0)
            envelope = self._envelope(Kind.TELL, Down(who, exit_), None, None, None)
            watcher.mailbox.put_control(envelope)

        if cell is None:
            down(Exit("unborn", "nobody lives there"))
        else:
            watcher.watch(forget)
            cell.watch(down)

    # Messages

    def post(
        self,
        path: str,
        incarnation: int | None,
        kind: Kind,
        m: Message,
        frame: bytes,
        port: Promise | Pipe | None,
        deadline: float | None,
    ) -> None:
        """Send a message.

        Raises:
            MailboxFull: The target's mailbox has no place.
        """
        self.count("sent")
        envelope = self._envelope(kind, m, frame, port, deadline)
        if self.faults is not None and self.faults.on_deliver(self, path, incarnation, envelope):
            return
        self.deliver(path, envelope, incarnation)

    def _envelope(
        self,
        kind: Kind,
        m: Message,
        frame: bytes | None,
        port: Promise | Pipe | None,
        deadline: float | None,
    ) -> Envelope:
        self._next_id += 1
        return Envelope(
            id=self._next_id,
            kind=kind,
            tag=type(m).__name__,
            frame=encode(m) if frame is None else frame,
            deadline=float("inf") if deadline is None else deadline,
            trace=trace_id.get() or new_trace(),
            port=port,
            sent_at=trio.current_time(),
        )

    def deliver(self, path: str, envelope: Envelope, incarnation: int | None = None) -> None:
        """Put an envelope into the mailbox of whoever lives there.

        Raises:
            MailboxFull: It has no place.
        """
        cell = self.find(path, incarnation)
        if cell is None:
            self.undeliverable(path, envelope, Exit("unborn", "nobody lives there"))
            return
        try:
            cell.accept(envelope)
        except MailboxFull:
            self.count("rejected")
            raise

    def redeliver(self, path: str, envelope: Envelope, incarnation: int | None = None) -> None:
        """Deliver later than sent: as nobody is there to catch, a full mailbox becomes an answer.

        A message that wants none becomes a dead letter.
        """
        try:
            self.deliver(path, envelope, incarnation)
        except MailboxFull as e:
            if envelope.port is not None:
                fail_port(envelope.port, failure_of(e))
            else:
                self._bury(path, envelope, str(e))

    def undeliverable(self, path: str, envelope: Envelope, exit_: Exit) -> None:
        """A message that nobody will take: an error for who waits, else a dead letter."""
        if envelope.port is not None:
            fail_port(envelope.port, Failure("died", path=path, exit=exit_))
        else:
            self._bury(path, envelope, str(exit_))

    def _bury(self, path: str, envelope: Envelope, reason: str) -> None:
        self.dead_letters.add(DeadLetter(path, envelope.tag, reason))
        self.log.warning("dead letter", to=path, message=envelope.tag, reason=reason)

    # Insight

    def count(self, what: str, by: int = 1) -> None:
        """Add to a counter; the names are those of `Counters`."""
        self._counts[what] = self._counts.get(what, 0) + by

    def counters(self) -> Counters:
        return Counters(**self._counts, dead_letters=self.dead_letters.count)

    def snapshot(self) -> NodeSnapshot:
        """The live tree at this moment."""
        now = trio.current_time()
        return NodeSnapshot(
            name=self.name,
            uptime=now - self._began,
            counters=self.counters(),
            dead_letters=tuple(self.dead_letters.newest),
            root=self._snapshot_of(self._root, None, now) if self._root is not None else None,
            faults=self.faults.title if self.faults is not None else "",
        )

    def _snapshot_of(self, cell: Cell, child: Child | None, now: float) -> ActorSnapshot:
        actor = cell.actor
        children: tuple[ActorSnapshot, ...] = ()
        if isinstance(actor, Supervisor):
            children = tuple(
                self._snapshot_of(c.cell, c, now)
                if c.cell is not None
                else self._snapshot_of_absent(self.child_path(cell.path, c.spec.id), c)
                for c in actor.children.values()
            )
        return ActorSnapshot(
            path=cell.path,
            kind=cell.spec.kind,
            state=cell.state,
            incarnation=cell.incarnation,
            restarts=child.restarts if child is not None else 0,
            queue=len(cell.mailbox),
            queue_bytes=cell.mailbox.bytes,
            oldest_age=cell.mailbox.oldest_age(now),
            running=cell.running,
            handled=cell.handled,
            busy=cell.busy,
            last_exit=child.last_exit if child is not None else "",
            info=self._info_of(cell),
            children=children,
        )

    @staticmethod
    def _info_of(cell: Cell) -> dict[str, Any]:
        if cell.actor is None or cell.state != "running":
            return {}
        try:
            return dict(cell.actor.info())
        except Exception as e:  # noqa: BLE001 -- whoever looks must not break what is looked at
            return {"error": f"{type(e).__name__}: {e}"}

    @staticmethod
    def _snapshot_of_absent(path: str, child: Child) -> ActorSnapshot:
        return ActorSnapshot(
            path=path,
            kind=child.spec.kind,
            state="restarting",
            incarnation=child.incarnation,
            restarts=child.restarts,
            queue=0,
            queue_bytes=0,
            oldest_age=0.0,
            running=0,
            handled=0,
            busy=0.0,
            last_exit=child.last_exit,
        )
