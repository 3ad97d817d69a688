"""The main of a child process: a node that hosts one actor for its parent.

    python -m actorllm.actors.kernel.child FD PATH

The process lives as long as its transport: when the parent is gone it exits with its whole group,
however busy its threads and even its event loop are. (Linux's parent-death signal is no help: it
fires when the *thread* that forked ends, and trio forks in a worker thread.)
"""

import importlib
import os
import select
import signal
import socket
import sys
import threading
import time
from typing import Any

import trio

from actorllm.actors.kernel.actor import Actor
from actorllm.actors.kernel.exits import Exit, innermost
from actorllm.actors.kernel.garbage import hold_collection, resume_collection
from actorllm.actors.kernel.link import Link, LinkError, Op
from actorllm.actors.kernel.logs import configure_logs
from actorllm.actors.kernel.mailbox import Envelope, Kind
from actorllm.actors.kernel.node import Node
from actorllm.actors.kernel.ports import Failure, Pipe, Promise
from actorllm.actors.kernel.specs import ChildSpec, Restart
from actorllm.protocol.codec import CodecError, decode, encode
from actorllm.protocol.version import package_version

__all__ = ["host", "main"]

_STOP_GRACE = 5.0
"""Seconds that the hosted actor has to stop."""


class _Host:
    """Turns transport frames into deliveries to the hosted actor, and its answers into frames."""

    def __init__(self, link: Link, path: str) -> None:
        self._link = link
        self._path = path
        self._pipes: dict[int, Pipe] = {}
        self.node = Node(path, root_path=path)

    def take(self, op: int, rest: list[Any]) -> None:
        """Act on one frame of the parent."""
        if op == Op.DELIVER:
            self._deliver(*rest)
        elif op == Op.GRANT:
            pipe = self._pipes.get(rest[0])
            if pipe is not None:
                pipe.grant(rest[1])
        elif op == Op.LEAVE:
            pipe = self._pipes.pop(rest[0], None)
            if pipe is not None:
                pipe.leave()
        elif op == Op.PING:
            snapshot = self.node.snapshot().root
            self._link.send(Op.PONG, rest[0], encode(snapshot) if snapshot is not None else None)
        elif op == Op.STOP:
            self.node.stop()

    def _deliver(
        self,
        id_: int,
        kind: int,
        tag: str,
        frame: bytes,
        left: float | None,
        trace: str,
        window: int,
    ) -> None:
        now = trio.current_time()
        envelope = Envelope(
            id=id_,
            kind=Kind(kind),
            tag=tag,
            frame=frame,
            deadline=float("inf") if left is None else now + left,
            trace=trace,
            port=self._port(id_, Kind(kind), window),
            sent_at=now,
        )
        self.node.redeliver(self._path, envelope)

    def _port(self, id_: int, kind: Kind, window: int) -> Promise | Pipe | None:
        if kind is Kind.TELL:
            return None
        if kind is Kind.ASK:
            promise = Promise()
            promise.on_settle = lambda p: self._settled(id_, p)
            return promise
        pipe = self._pipes[id_] = Pipe(window)
        pipe.on_open = lambda: self._link.send(Op.OPENED, id_)
        pipe.on_push = lambda frame: self._link.send(Op.ITEM, id_, frame)
        pipe.on_close = lambda failure: self._closed(id_, failure)
        return pipe

    def _settled(self, id_: int, promise: Promise) -> None:
        if promise.failure is not None:
            self._link.send(Op.FAIL, id_, encode(promise.failure))
        else:
            self._link.send(Op.RESOLVE, id_, promise.frame)

    def _closed(self, id_: int, failure: Failure | None) -> None:
        self._pipes.pop(id_, None)
        self._link.send(Op.CLOSE, id_, None if failure is None else encode(failure))


def _make(entry: str, args: bytes) -> Actor:
    module, _, name = entry.partition(":")
    actor = getattr(importlib.import_module(module), name)(decode(args))
    if not isinstance(actor, Actor):
        raise TypeError(f"{entry} is no actor")
    return actor


async def host(stream: trio.abc.Stream) -> Exit:
    """Host the actor that the peer's greeting names, until it ends or the peer is gone."""
    link = Link(stream)
    exit_ = Exit("stopped", "parent is gone")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_quietly, link.run_writer)
        greeting = await _greeting(link)
        if greeting is not None:
            exit_ = await _serve(link, greeting)
        await trio.sleep(0.01)  # let the writer take the last frames
        nursery.cancel_scope.cancel()
    return exit_


async def _quietly(task: Any) -> None:
    try:
        await task()
    except LinkError:
        return  # the reader sees the same end and acts on it


async def _greeting(link: Link) -> list[Any] | None:
    try:
        frame = await link.receive()
    except LinkError:
        return None
    if frame is None:
        return None
    op, *greeting = frame
    return greeting if op == Op.HELLO and len(greeting) == 5 else None


async def _serve(link: Link, greeting: list[Any]) -> Exit:
    version, entry, args, path, _ = greeting
    if version != package_version():
        text = f"the daemon is actorllm {version}, this is {package_version()}: restart the daemon"
        link.send(Op.FAILED, text)
        return Exit("crashed", text)
    hosted = _Host(link, path)
    spec = ChildSpec(
        "hosted",
        lambda: _make(entry, args),
        restart=Restart.TEMPORARY,
        max_messages=4096,
        kind="process",
    )
    ended = Exit("stopped", "parent is gone")
    broken: Exit | None = None

    async def run_node(*, task_status: trio.TaskStatus[Any]) -> None:
        nonlocal ended
        ended = await hosted.node.run(spec, task_status=task_status)
        link.send(Op.ENDED, encode(broken or ended))
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        try:
            await nursery.start(run_node)
        except Exception as e:  # noqa: BLE001 -- whatever it is, the parent must hear of it
            link.send(Op.FAILED, str(innermost(e)))
            return Exit("crashed", str(e))
        resume_collection()
        link.send(Op.READY, os.getpid())
        broken = await _pump(hosted, link)
        hosted.node.stop()
        with trio.move_on_after(_STOP_GRACE):
            await trio.sleep_forever()
        nursery.cancel_scope.cancel()
    return ended


async def _pump(hosted: _Host, link: Link) -> Exit | None:
    """Take the parent's frames until it is gone; returns what was wrong with them, if so."""
    try:
        while (frame := await link.receive()) is not None:
            op, *rest = frame
            hosted.take(op, rest)
    except (LinkError, CodecError, TypeError, ValueError) as e:
        return Exit("crashed", f"transport broke: {e}")
    return None


def _is_orphan(fd: int, wait: float | None) -> bool:
    """Whether the peer of a socket has closed; waits up to so many seconds for it, None: for ever."""
    poll = select.poll()
    poll.register(fd, 0)  # a hang-up is always reported
    return bool(poll.poll(None if wait is None else wait * 1000))


def _end_group() -> None:
    if os.getpgrp() == os.getpid():  # never the group of somebody who runs this by hand
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _guard(fd: int) -> None:
    """End this process when its parent is gone and its event loop does not see to it."""
    _is_orphan(fd, None)
    time.sleep(_STOP_GRACE + 1)
    _end_group()


def main() -> None:
    """Run the child process."""
    hold_collection()
    configure_logs(debug=bool(os.environ.get("ACTORLLM_DEBUG")))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the daemon's business
    sock = socket.socket(fileno=int(sys.argv[1]))
    guarded = os.dup(sock.fileno())
    threading.Thread(target=_guard, args=(guarded,), name="guard", daemon=True).start()

    async def run() -> Exit:
        return await host(trio.SocketStream(trio.socket.from_stdlib_socket(sock)))

    exit_ = trio.run(run)
    sys.stderr.flush()
    if _is_orphan(guarded, 0):
        _end_group()  # nobody else is left to end the processes that this one has started
    os._exit(0 if not exit_.is_failure else 1)  # threads of native code may never end


if __name__ == "__main__":
    main()
