"""Faults on purpose: a seeded plan, and the injector that carries it out.

    deliver     drop, delay, duplicate, reorder, corrupt    a message on its way
    handle      crash, hang, kill                           an actor that takes a message up
    spawn       fail, slow                                  the start of an actor
    transport   cut, stall, corrupt                         the bytes to and from a child process

Each fault is counted and logged, so that what was dropped on purpose can be told from what was
lost. Nothing else of the kernel imports this module: a node without an injector pays nothing.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Final

import attrs
import structlog
import trio

from actorllm.actors.kernel.cell import Cell, ExitAs
from actorllm.actors.kernel.errors import MailboxFull
from actorllm.actors.kernel.exits import Exit
from actorllm.actors.kernel.fault_plan import ACTIONS, FaultPlan, FaultPlanError, Rule
from actorllm.actors.kernel.mailbox import Envelope
from actorllm.actors.kernel.node import Node
from actorllm.actors.kernel.process import ProcessActor

__all__ = ["FaultInjector", "FaultPlan", "FaultPlanError", "InjectedFault", "Rule"]


class InjectedFault(Exception):  # noqa: N818 -- it is the fault itself
    """A crash or a failed start that a plan asked for."""


class _Aim:
    """A rule with its memory of what it has seen and done."""

    def __init__(self, rule: Rule, seed: str) -> None:
        self.rule = rule
        self._random = random.Random(seed)  # noqa: S311 -- replayed from the seed on purpose
        self._seen = 0
        self._struck = 0

    def strikes(self, path: str, tag: str) -> bool:
        rule = self.rule
        if not (fnmatchcase(path, rule.path) and fnmatchcase(tag, rule.message)):
            return False
        self._seen += 1
        if self._seen <= rule.after or self._struck == rule.limit:
            return False
        if rule.probability < 1 and self._random.random() >= rule.probability:
            return False
        self._struck += 1
        return True


@attrs.frozen(eq=False)
class _Parcel:
    """A delivery that was held up."""

    node: Node
    path: str
    incarnation: int | None
    envelope: Envelope

    def deliver(self) -> None:
        self.node.redeliver(self.path, self.envelope, self.incarnation)


class FaultInjector:
    """Puts the faults of a plan into one node; the kernel's `FaultHook`.

    Args:
        plan: What goes wrong.
        active: Whether it strikes from the beginning; else once `active` is set.
    """

    def __init__(self, plan: FaultPlan, *, active: bool = True) -> None:
        self.active = active
        self.counts: Counter[str] = Counter()
        """Faults that were put in, by title such as `deliver.drop`."""
        self._seed = plan.seed
        self._random = random.Random(plan.seed)  # noqa: S311 -- replayed from the seed on purpose
        self._aims: dict[str, list[_Aim]] = {seam: [] for seam in ACTIONS}
        self._added = 0
        self._held: dict[str, _Parcel] = {}
        for rule in plan.rules:
            self.add(rule)

    @property
    def title(self) -> str:
        return f"{self._added} fault rules, seed {self._seed}, {self.counts.total()} faults so far"

    def add(self, rule: Rule) -> None:
        """Add a rule while the node runs; it comes after those that are there."""
        self._aims[rule.at].append(_Aim(rule, f"{self._seed}/{self._added}"))
        self._added += 1

    def _choose(self, seam: str, path: str, tag: str = "") -> Rule | None:
        """The first rule of a seam that strikes; it is counted and logged."""
        if not self.active:
            return None
        for aim in self._aims[seam]:
            if aim.strikes(path, tag):
                title = aim.rule.title
                self.counts[title] += 1
                log: structlog.stdlib.BoundLogger = structlog.get_logger("actorllm")
                log.warning("fault injected", fault=title, actor=path, message=tag)
                return aim.rule
        return None

    # Deliveries

    def on_deliver(
        self, node: Node, path: str, incarnation: int | None, envelope: Envelope
    ) -> bool:
        parcel = _Parcel(node, path, incarnation, envelope)
        held = self._held.pop(path, None)
        rule = self._choose("deliver", path, envelope.tag)
        if rule is not None:
            _DELIVERIES[rule.do](self, parcel, rule)
        if held is None:
            return rule is not None
        try:
            if rule is None:
                node.deliver(path, envelope, incarnation)
        finally:
            held.deliver()  # the other one has overtaken it
        return True

    def _drop(self, parcel: _Parcel, rule: Rule) -> None:
        """Do nothing: who waits for an answer waits until the deadline."""

    def _delay(self, parcel: _Parcel, rule: Rule) -> None:
        parcel.node.run_task(_later, rule.duration, parcel.deliver)

    def _duplicate(self, parcel: _Parcel, rule: Rule) -> None:
        envelope = parcel.envelope
        cell = parcel.node.find(parcel.path, parcel.incarnation)
        parcel.node.deliver(parcel.path, envelope, parcel.incarnation)
        if cell is not None:
            parcel.node.run_task(_later, rule.duration, lambda: _accept_copy(cell, envelope))

    def _reorder(self, parcel: _Parcel, rule: Rule) -> None:
        def give_up() -> None:
            if self._held.get(parcel.path) is parcel:
                del self._held[parcel.path]
                parcel.deliver()

        self._held[parcel.path] = parcel
        parcel.node.run_task(_later, rule.duration, give_up)

    def _corrupt(self, parcel: _Parcel, rule: Rule) -> None:
        frame = bytearray(parcel.envelope.frame)
        # Every frame starts with the head of an array of two. Any other head makes the frame
        # malformed, whatever follows: the damage is found for certain.
        frame[0] ^= self._random.randrange(1, 256)
        if len(frame) > 4:
            frame[self._random.randrange(4, len(frame))] ^= self._random.randrange(1, 256)
        damaged = attrs.evolve(parcel.envelope, frame=bytes(frame))
        parcel.node.deliver(parcel.path, damaged, parcel.incarnation)

    # Actors

    async def before_handle(self, cell: Cell, envelope: Envelope) -> None:
        rule = self._choose("handle", cell.path, envelope.tag)
        if rule is None:
            return
        if rule.do == "hang":
            await trio.sleep(rule.duration)
        elif rule.do == "crash":
            raise InjectedFault(f"crash before {envelope.tag}, by the fault plan")
        elif isinstance(cell.actor, ProcessActor):
            cell.actor.kill()
            await trio.sleep_forever()  # the bridge's reader sees the end and ends this, too
        else:
            raise ExitAs(Exit("killed", f"before {envelope.tag}, by the fault plan", 9))

    async def before_spawn(self, cell: Cell) -> None:
        rule = self._choose("spawn", cell.path)
        if rule is None:
            return
        if rule.do == "fail":
            raise InjectedFault("failed start, by the fault plan")
        await trio.sleep(rule.duration)

    # Transports

    def wrap_link(self, path: str, stream: trio.abc.Stream) -> trio.abc.Stream:
        if not self._aims["transport"]:
            return stream
        return _FaultyStream(stream, lambda: self._choose("transport", path), self._random)


_DELIVERIES: Final[Mapping[str, Callable[[FaultInjector, _Parcel, Rule], None]]] = {
    "drop": FaultInjector._drop,  # noqa: SLF001 -- the table of the class above
    "delay": FaultInjector._delay,  # noqa: SLF001
    "duplicate": FaultInjector._duplicate,  # noqa: SLF001
    "reorder": FaultInjector._reorder,  # noqa: SLF001
    "corrupt": FaultInjector._corrupt,  # noqa: SLF001
}


async def _later(seconds: float, call: Callable[[], None]) -> None:
    await trio.sleep(seconds)
    call()


def _accept_copy(cell: Cell, envelope: Envelope) -> None:
    """Deliver a copy to the incarnation that got the original, if it is there and has room."""
    if cell.exit is not None:
        return
    try:
        cell.accept(envelope)
    except MailboxFull:
        return


class _FaultyStream(trio.abc.Stream):
    """A byte stream that is cut, stalled or damaged; each read or write is one chance."""

    def __init__(
        self, stream: trio.abc.Stream, choose: Callable[[], Rule | None], random_: random.Random
    ) -> None:
        self._stream = stream
        self._choose = choose
        self._random = random_
        self._stalled_until = -math.inf

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(await self._pass(bytes(data)))

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self._stream.receive_some(max_bytes)
        return await self._pass(bytes(data)) if data else data

    async def _pass(self, data: bytes) -> bytes:
        rule = self._choose()
        if rule is not None and rule.do == "cut":
            await self._stream.aclose()
            raise trio.BrokenResourceError("cut by the fault plan")
        if rule is not None and rule.do == "corrupt":
            at = self._random.randrange(len(data))
            flipped = data[at] ^ self._random.randrange(1, 256)
            data = data[:at] + bytes([flipped]) + data[at + 1 :]
        if rule is not None and rule.do == "stall":
            self._stalled_until = trio.current_time() + rule.duration
        if self._stalled_until > trio.current_time():
            await trio.sleep_until(self._stalled_until)
        return data

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()
