"""An actor in a process of its own, seen from its parent.

`ProcessActor` is a bridge: its mailbox is the child's mailbox, and what arrives there is passed on
undecoded. The child is supervised like any other actor: its death, its silence and its nonsense
all end the bridge's incarnation, and the supervisor decides what follows.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs
import trio

from actorllm.actors.kernel.actor import Actor
from actorllm.actors.kernel.cell import ExitAs
from actorllm.actors.kernel.exits import Exit
from actorllm.actors.kernel.insight import ActorSnapshot
from actorllm.actors.kernel.launch import Handle
from actorllm.actors.kernel.link import Link, LinkError, Op
from actorllm.actors.kernel.mailbox import Envelope
from actorllm.actors.kernel.ports import Failure, Pipe, Promise
from actorllm.actors.kernel.trace import trace_id
from actorllm.protocol.codec import CodecError, Message, decode, encode
from actorllm.protocol.version import package_version

__all__ = ["Heartbeat", "ProcessActor"]


@attrs.frozen
class Heartbeat:
    """How silence is told from work. Seconds."""

    interval: float = 1.0
    timeout: float = 5.0


class ProcessActor(Actor):
    """The parent's end of an actor that lives in a child process.

    Args:
        entry: `module:Class` of the actor; it is made with `args` as its only argument.
        args: What the actor is made from.
        heartbeat: How soon a silent child counts as dead.
        grace: Seconds that a stopped child has before it is terminated, and again before it is
            killed.
    """

    forwards: ClassVar[bool] = True

    def __init__(
        self,
        entry: str,
        args: Message,
        *,
        heartbeat: Heartbeat = Heartbeat(),
        grace: float = 2.0,
    ) -> None:
        self._entry = entry
        self._args = args
        self._heartbeat = heartbeat
        self._grace = grace
        self._handle: Handle | None = None
        self._ports: dict[int, Promise | Pipe] = {}
        self._last_pong = 0.0
        self._child: ActorSnapshot | None = None
        self._stopping = False

    # Life

    async def started(self) -> None:
        launcher = self.ctx.node.launcher
        if launcher is None:
            raise RuntimeError("this node starts no processes")
        handle = self._handle = await launcher.launch(self.ctx.path)
        stream = handle.stream
        if self.ctx.node.faults is not None:
            stream = self.ctx.node.faults.wrap_link(self.ctx.path, stream)
        self._link = Link(stream)
        self.ctx.run(self._write)
        self.ctx.run(handle.run)
        self._link.send(
            Op.HELLO,
            package_version(),
            self._entry,
            encode(self._args),
            self.ctx.path,
            trace_id.get(),
        )
        await self._handshake()
        self._last_pong = trio.current_time()
        self.ctx.run(self._read)
        self.ctx.run(self._beat)

    async def _handshake(self) -> None:
        try:
            frame = await self._link.receive()
        except LinkError:
            frame = None
        if frame is None:
            raise ExitAs(await self._collect("process ended during its start"))
        op, *rest = frame
        if op != Op.READY:
            raise ExitAs(Exit("crashed", str(rest[0]) if rest else "bad greeting"))

    async def stopped(self) -> None:
        assert self._handle is not None
        self._stopping = True
        self._link.send(Op.STOP)
        for escalate in (self._handle.terminate, self._handle.kill):
            with trio.move_on_after(self._grace):
                await self._handle.wait()
                return
            escalate()
        await self._handle.wait()

    def ended(self, exit_: Exit) -> None:
        if self._handle is not None:
            self._handle.kill()
            self.ctx.node.run_task(self._reap, self._handle)
        failure = Failure("died", path=self.ctx.path, exit=exit_)
        for port in tuple(self._ports.values()):
            if isinstance(port, Promise):
                port.fail(failure)
            else:
                port.close(failure)
        self._ports.clear()

    @staticmethod
    async def _reap(handle: Handle) -> None:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 5):
            await handle.stream.aclose()
            await handle.wait()

    async def _collect(self, what: str) -> Exit:
        """Kill what is left of the child and tell how it ended."""
        assert self._handle is not None
        with trio.move_on_after(0.2):  # a process that just died says how by itself
            exit_ = await self._handle.wait()
            await trio.sleep(0.02)  # its last words may still be in the pipe
            if exit_.kind == "normal":
                return Exit("crashed", f"{what}: process ended on its own")
            return Exit(exit_.kind, exit_.text, exit_.signal, self._handle.last_words())
        self._handle.kill()
        return Exit("killed", what, None, self._handle.last_words())

    # Traffic

    async def _write(self) -> None:
        try:
            await self._link.run_writer()
        except LinkError:
            if not self._stopping:
                raise ExitAs(await self._collect("transport broke")) from None

    async def forward(self, envelope: Envelope) -> None:
        port = envelope.port
        if port is not None:
            self._ports[envelope.id] = port
        window = 0
        if isinstance(port, Pipe):
            if port.left:
                del self._ports[envelope.id]
                return
            window = port.window
            self._wire(port, envelope.id)
        left = None
        if envelope.deadline != float("inf"):
            left = envelope.deadline - trio.current_time()
        self._link.send(
            Op.DELIVER,
            envelope.id,
            int(envelope.kind),
            envelope.tag,
            envelope.frame,
            left,
            envelope.trace,
            window,
        )

    def _wire(self, pipe: Pipe, id_: int) -> None:
        """Let the consumer's moves become frames."""

        def leave() -> None:
            if self._ports.pop(id_, None) is not None:
                self._link.send(Op.LEAVE, id_)

        pipe.on_grant = lambda count: self._link.send(Op.GRANT, id_, count)
        pipe.on_leave = leave

    async def _read(self) -> None:
        try:
            while (frame := await self._link.receive()) is not None:
                op, *rest = frame
                self._take(op, rest)
            reason = "transport was closed"
        except LinkError as e:
            reason = f"transport broke: {e}"
        except (TypeError, ValueError, CodecError) as e:
            reason = f"child does not keep to the protocol: {e}"
        if not self._stopping:
            raise ExitAs(await self._collect(reason))

    def _take(self, op: int, rest: list[Any]) -> None:
        if op == Op.ITEM:
            pipe = self._ports.get(rest[0])
            if isinstance(pipe, Pipe):
                pipe.push(rest[1])
        elif op == Op.OPENED:
            pipe = self._ports.get(rest[0])
            if isinstance(pipe, Pipe):
                pipe.open()
        elif op == Op.PONG:
            self._last_pong = trio.current_time()
            snapshot = decode(rest[1]) if rest[1] is not None else None
            self._child = snapshot if isinstance(snapshot, ActorSnapshot) else None
        elif op == Op.ENDED:
            ended = decode(rest[0])
            assert isinstance(ended, Exit)
            if not self._stopping:
                raise ExitAs(ended)
        else:
            self._settle(op, rest)

    def _settle(self, op: int, rest: list[Any]) -> None:
        port = self._ports.pop(rest[0], None)
        failure: Failure | None = None
        if op == Op.FAIL or (op == Op.CLOSE and rest[1] is not None):
            told = decode(rest[1])
            if not isinstance(told, Failure):
                raise TypeError("a failure that is none")
            failure = told
        if isinstance(port, Pipe):
            port.close(failure)
        elif isinstance(port, Promise):
            settled = port.fail(failure) if failure is not None else port.resolve(rest[1])
            if not settled:
                self.ctx.node.count("late" if port.abandoned else "doubled")

    async def _beat(self) -> None:
        number = 0
        while not self._stopping:
            number += 1
            self._link.send(Op.PING, number)
            due = trio.current_time() + self._heartbeat.interval
            await trio.sleep_until(due)
            # If this process itself was held up, that is not the child's silence: the answer may
            # lie in the socket, unread.
            self._last_pong += trio.current_time() - due
            silence = trio.current_time() - self._last_pong
            if silence > self._heartbeat.timeout and not self._stopping:
                assert self._handle is not None
                self._handle.kill()
                text = f"no heartbeat for {silence:.1f} s"
                raise ExitAs(Exit("killed", text, None, self._handle.last_words()))

    def kill(self) -> None:
        """Kill the child with its process group, as a crash of it would end it."""
        if self._handle is not None:
            self._handle.kill()

    def info(self) -> Mapping[str, Any]:
        facts: dict[str, Any] = {"pid": self._handle.pid if self._handle is not None else 0}
        if self._child is not None:
            facts |= {
                "child_handled": self._child.handled,
                "child_queue": self._child.queue,
                "child_running": self._child.running,
                **self._child.info,
            }
        return facts
