"""The life of one incarnation of an actor: start, messages, end.

The kernel's promises are kept here: one message at a time, control before messages, expired
questions dropped, and every open answer settled when the actor ends.
"""

import traceback
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

import trio

from actorllm.actors.kernel.actor import Actor, Handler, handlers_of
from actorllm.actors.kernel.context import Context
from actorllm.actors.kernel.exits import Exit, innermost
from actorllm.actors.kernel.mailbox import End, Envelope, Kind, Mailbox, Stop
from actorllm.actors.kernel.ports import Failure, Pipe, Promise, fail_port
from actorllm.actors.kernel.relay import feed
from actorllm.actors.kernel.specs import ChildSpec
from actorllm.actors.kernel.trace import trace_id
from actorllm.protocol.codec import CodecError, Message, decode, encode
from actorllm.protocol.errors import Problem, Refused

if TYPE_CHECKING:
    from actorllm.actors.kernel.node import Node

__all__ = ["Cell", "ExitAs"]

_REMEMBERED = 256
"""Ids of envelopes that are remembered, to drop those that arrive twice."""


class ExitAs(Exception):  # noqa: N818
    """Raised by a bridge: the actor ends for a reason that lies outside this process."""

    def __init__(self, exit_: Exit) -> None:
        super().__init__(str(exit_))
        self.exit = exit_


class Cell:
    """One incarnation of an actor: its mailbox, its tasks and its end."""

    def __init__(self, node: "Node", path: str, spec: ChildSpec, incarnation: int) -> None:
        self.node = node
        self.path = path
        self.spec = spec
        self.incarnation = incarnation
        self.state = "starting"
        self.mailbox = Mailbox(spec.max_messages, spec.max_bytes)
        self.actor: Actor | None = None
        self.exit: Exit | None = None
        self.was_started = False
        """Whether `started` returned well."""
        self.finished = trio.Event()
        self.scope = trio.CancelScope()
        self.handled = 0
        self.busy = 0.0
        self.running = 0
        self._nursery: trio.Nursery | None = None
        self._handlers = cast("dict[type[Message], Handler]", {})
        self._open: dict[Promise | Pipe, None] = {}  # in order, so that runs can be replayed
        self._recent: deque[int] = deque(maxlen=_REMEMBERED)
        self._recent_set: set[int] = set()
        self._watchers: dict[Callable[[Exit], None], None] = {}
        self._stopping = False
        self._asked_to_stop = False

    # The start and the end

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Live. Returns when the incarnation has ended; only cancellation from outside is raised."""
        try:
            with self.scope:
                await self._live(task_status)
        finally:
            self._finish(self.exit or Exit("stopped", "cancelled"))
            if not self.was_started:
                task_status.started()

    async def _live(self, task_status: trio.TaskStatus[None]) -> None:
        rest: BaseException | None = None
        try:
            async with trio.open_nursery() as self._nursery:
                await self._start()
                self.state = "running"
                self.was_started = True
                task_status.started()
                await self._loop()
                self.state = "stopping"
                self._nursery.cancel_scope.cancel()
            self.exit = Exit("stopped" if self._stopping else "normal")
        except BaseExceptionGroup as group:
            crashes, rest = group.split(Exception)
            if crashes is not None:
                self.exit = self._exit_of(crashes)
        if rest is not None:
            raise rest

    async def _start(self) -> None:
        actor = self.spec.start()
        actor.ctx = Context(self.node, self)
        self._handlers = dict(handlers_of(type(actor)))
        self.actor = actor
        with trio.fail_after(self.spec.start_timeout):
            if self.node.faults is not None:
                await self.node.faults.before_spawn(self)
            await actor.started()

    async def _loop(self) -> None:
        assert self.actor is not None
        while True:
            item = await self.mailbox.get()
            if isinstance(item, Envelope):
                await self._take(item)
            elif isinstance(item, Stop | End):
                self._stopping = isinstance(item, Stop)
                self.state = "stopping"
                await self.actor.stopped()
                return
            else:
                await self.actor.on_signal(item)

    def stop(self) -> None:
        """Ask the actor to end; again: to lose no time over it."""
        if not self._asked_to_stop:
            self._asked_to_stop = True
            self.mailbox.put_control(Stop())
        elif self.actor is not None:
            self.actor.hurry()

    def end(self) -> None:
        """Let the actor end itself before it takes another message."""
        self.mailbox.put_control(End())

    def watch(self, call: Callable[[Exit], None]) -> None:
        """Call once at the end of this incarnation; at once if it is over."""
        if self.exit is not None and self.state == "dead":
            call(self.exit)
        else:
            self._watchers[call] = None

    def unwatch(self, call: Callable[[Exit], None]) -> None:
        """Do not call any more."""
        self._watchers.pop(call, None)

    def _exit_of(self, error: BaseException) -> Exit:
        error = innermost(error)
        if isinstance(error, ExitAs):
            return error.exit
        where = traceback.extract_tb(error.__traceback__)
        self.node.log.error(
            "actor crashed",
            actor=self.path,
            error=f"{type(error).__name__}: {error}",
            where=" <- ".join(
                f"{f.filename.rpartition('/')[2]}:{f.lineno} {f.name}" for f in reversed(where[-6:])
            ),
        )
        return Exit("crashed", f"{type(error).__name__}: {error}")

    def _finish(self, exit_: Exit) -> None:
        """Settle everything that is open; synchronous, so that nothing can cut it short."""
        self.exit = exit_
        self.state = "dead"
        self.node.unregister(self)
        if self.actor is not None:
            try:
                self.actor.ended(exit_)
            except Exception as e:  # noqa: BLE001 -- those who wait must be answered all the same
                self.node.log.warning("cleanup failed", actor=self.path, error=repr(e))
        failure = Failure("died", path=self.path, exit=exit_)
        for port in tuple(self._open):
            fail_port(port, failure)
        self._open.clear()
        for envelope in self.mailbox.drain():
            self.node.undeliverable(self.path, envelope, exit_)
        if exit_.is_failure:
            self.node.count("crashes")
        watchers, self._watchers = self._watchers, {}
        for watch in watchers:
            watch(exit_)
        self.finished.set()

    # Messages

    def accept(self, envelope: Envelope) -> None:
        """Put a message into the mailbox.

        Raises:
            MailboxFull: It has no place.
        """
        self.mailbox.put(envelope)
        if envelope.port is not None and not _is_settled(envelope.port):
            self._open[envelope.port] = None

    async def _take(self, envelope: Envelope) -> None:
        if self._is_duplicate(envelope.id):
            self.node.count("duplicates")
            return
        if envelope.deadline < trio.current_time() or _is_settled(envelope.port):
            self.node.count("expired")
            self._settle_with(envelope.port, Failure("timeout", f"{envelope.tag} expired"))
            return
        self.handled += 1
        self.node.count("handled")
        if self.node.logs_messages:
            self._log_message(envelope)
        if self.node.faults is not None:
            await self.node.faults.before_handle(self, envelope)
        await self.dispatch(envelope)

    def _log_message(self, envelope: Envelope) -> None:
        self.node.log.debug(
            "message",
            actor=self.path,
            message=envelope.tag,
            waited=round(trio.current_time() - envelope.sent_at, 6),
            trace=envelope.trace,
        )

    async def dispatch(self, envelope: Envelope) -> None:
        """Find the handler and run it, or start it as a child."""
        assert self.actor is not None
        if self.actor.forwards:
            if envelope.port is not None:
                self._open.pop(envelope.port, None)
            await self.actor.forward(envelope)
            return
        try:
            message = decode(envelope.frame)
            handler = self._handlers[type(message)]
        except (CodecError, KeyError) as e:
            text = str(e) if isinstance(e, CodecError) else f"{self.path} takes no {envelope.tag}"
            self.node.log.warning("bad message", actor=self.path, error=text)
            self._settle_with(envelope.port, Failure("bad", text))
            return
        if handler.kind is Kind.STREAM or handler.concurrent:
            self._start_child(handler, message, envelope)
            return
        began = trio.current_time()
        await self._answer(handler, message, envelope)
        self.busy += trio.current_time() - began

    def _is_duplicate(self, id_: int) -> bool:
        if id_ in self._recent_set:
            return True
        if len(self._recent) == _REMEMBERED:
            self._recent_set.discard(self._recent[0])
        self._recent.append(id_)
        self._recent_set.add(id_)
        return False

    def _start_child(self, handler: Handler, message: Message, envelope: Envelope) -> None:
        assert self._nursery is not None
        if self.running >= self.spec.max_running:
            self.node.count("rejected")
            text = f"{self.path} runs {self.running} requests already"
            self._settle_with(envelope.port, Failure("full", text))
            return
        run = self._produce if handler.kind is Kind.STREAM else self._answer
        name = f"{self.path}:{handler.name}"
        self.running += 1
        self._nursery.start_soon(self._counted, run, handler, message, envelope, name=name)

    async def _counted(
        self,
        run: Callable[[Handler, Message, Envelope], Awaitable[None]],
        handler: Handler,
        message: Message,
        envelope: Envelope,
    ) -> None:
        try:
            await run(handler, message, envelope)
        finally:
            self.running -= 1

    async def _answer(self, handler: Handler, message: Message, envelope: Envelope) -> None:
        """Run a handler of a tell or an ask and settle its promise."""
        assert self.actor is not None
        token = trace_id.set(envelope.trace)
        promise = envelope.port
        assert not isinstance(promise, Pipe)
        try:
            reply = await handler.bind(self.actor)(message)
            if promise is not None:
                self._resolve(promise, reply, envelope)
        except Refused as e:
            self._refuse(promise, e.problem, envelope)
        finally:
            trace_id.reset(token)

    def _resolve(self, promise: Promise, reply: Message | None, envelope: Envelope) -> None:
        if reply is None:
            raise TypeError(f"the handler of {envelope.tag} at {self.path} returned no reply")
        frame = encode(reply)
        self._open.pop(promise, None)  # not before: a crash until here must answer the asker
        if not promise.resolve(frame):
            self.node.count("late" if promise.abandoned else "doubled")

    def _refuse(self, port: Promise | Pipe | None, problem: Problem, envelope: Envelope) -> None:
        self.node.count("refused")
        if port is None:
            self.node.log.warning(
                "refused a message that wants no answer",
                actor=self.path,
                message=envelope.tag,
                problem=problem.text,
            )
        self._settle_with(port, Failure("refused", problem=problem))

    async def _produce(self, handler: Handler, message: Message, envelope: Envelope) -> None:
        """Run a stream's handler: an item for each credit, the end exactly once."""
        pipe = envelope.port
        assert isinstance(pipe, Pipe)
        trace_id.set(envelope.trace)
        with trio.CancelScope() as scope:
            pipe.on_leave = scope.cancel
            try:
                if not pipe.left:
                    await self._push_items(handler, message, pipe)
            except Refused as e:
                self._refuse(pipe, e.problem, envelope)
            else:
                pipe.close()
        self._open.pop(pipe, None)

    async def _push_items(self, handler: Handler, message: Message, pipe: Pipe) -> None:
        pipe.open()
        make = cast(
            "Callable[[Message], AsyncGenerator[Message, None]]",
            handler.bind(cast("Actor", self.actor)),
        )
        async with aclosing(make(message)) as items:
            await feed(pipe, items)

    def _settle_with(self, port: Promise | Pipe | None, failure: Failure) -> None:
        if port is not None:
            self._open.pop(port, None)
            fail_port(port, failure)

    # Tasks of its own

    async def start_task(self, task: Callable[..., Awaitable[Any]]) -> None:
        """Run a task in the actor's nursery and wait until it says that it has started."""
        assert self._nursery is not None
        await self._nursery.start(task)

    def run_task(
        self, task: Callable[..., Awaitable[Any]], *args: Any, name: str | None = None
    ) -> None:
        """Run a task in the actor's nursery."""
        if self._nursery is None:
            raise RuntimeError(f"{self.path} has not started")
        self._nursery.start_soon(task, *args, name=name)


def _is_settled(port: Promise | Pipe | None) -> bool:
    """Whether nobody waits any more: the asker has left, or another incarnation has answered."""
    return port is not None and (port.settled if isinstance(port, Promise) else port.closed)
