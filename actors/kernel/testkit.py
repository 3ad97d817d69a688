"""One actor alone: the real actor in a real tree, with probes in the place of its neighbours.

scheduler = Probe().on(Acquire, Granted(...))
async with actor_kit(Queue, neighbours={"/scheduler": scheduler}) as kit:
    assert await kit.ref.ask(Submit(...), timeout=1) == Accepted(...)
    assert scheduler.received(Acquire) == [Acquire(...)]
    assert kit.dead_letters == ()
"""

import inspect
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, ClassVar, Final, Self, TypeAlias, TypeVar

import attrs
import trio

from actorllm.actors.kernel.actor import Actor
from actorllm.actors.kernel.exits import Exit
from actorllm.actors.kernel.fault_plan import FaultPlan, Rule
from actorllm.actors.kernel.faults import FaultInjector
from actorllm.actors.kernel.insight import ActorSnapshot, Counters, DeadLetter
from actorllm.actors.kernel.launch import Launcher
from actorllm.actors.kernel.mailbox import Envelope
from actorllm.actors.kernel.node import Node
from actorllm.actors.kernel.ports import Failure, Pipe, Promise, fail_port
from actorllm.actors.kernel.ref import Ref
from actorllm.actors.kernel.relay import feed
from actorllm.actors.kernel.specs import Backoff, ChildSpec, Intensity
from actorllm.actors.kernel.supervisor import Supervisor
from actorllm.protocol.codec import Message, decode, encode
from actorllm.protocol.errors import Refused

__all__ = ["SILENCE", "ActorKit", "Answer", "Probe", "actor_kit"]

M = TypeVar("M", bound=Message)

SILENCE: Final = object()
"""An answer that never comes."""

Answer: TypeAlias = Any
"""What a probe answers with:

a message                  the reply to an ask
an iterable of messages    the items of a stream; also an async generator
a `Refused`                a refusal
another exception          a crash of the neighbour
a function of the message  returns one of these, now or later (a coroutine function)
`SILENCE`                  nothing, for ever
"""


class Probe:
    """A neighbour by script: it takes any message, keeps it, and answers as it was told.

    A message without a script: a tell is just kept, an ask or a stream is never answered.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        """What it took, in order."""
        self.traces: list[str] = []
        """The trace id of each."""
        self.incarnations = 0
        """How often it was started."""
        self._scripts: dict[type[Message], list[Answer]] = {}
        self._delays: dict[type[Message], float] = defaultdict(float)
        self._news = trio.Event()

    def on(self, kind: type[Message], *answers: Answer, delay: float = 0.0) -> Self:
        """Say how to answer messages of a class: one answer after the other, the last for ever.

        Args:
            kind: The message class.
            answers: See `Answer`.
            delay: Seconds before each answer.
        """
        if not answers:
            raise ValueError("say at least one answer")
        self._scripts[kind] = list(answers)
        self._delays[kind] = delay
        return self

    def received(self, kind: type[M]) -> list[M]:
        """The messages of a class that it took, in order."""
        return [m for m in self.messages if isinstance(m, kind)]

    async def wait_for(self, kind: type[M], count: int = 1, *, seconds: float = 5.0) -> M:
        """Wait until it has taken `count` messages of a class; returns the last of these.

        Raises:
            trio.TooSlowError: They did not come in time.
        """
        with trio.fail_after(seconds):
            while len(found := self.received(kind)) < count:
                await self._news.wait()
        return found[count - 1]

    def actor(self) -> Actor:
        """Make its next incarnation; what was kept stays."""
        self.incarnations += 1
        return _ProbeActor(self)

    def take(self, m: Message, trace: str) -> tuple[Answer, float]:
        """Keep a message; returns the answer and the seconds to wait before it."""
        self.messages.append(m)
        self.traces.append(trace)
        news, self._news = self._news, trio.Event()
        news.set()
        script = self._scripts.get(type(m))
        if script is None:
            return SILENCE, 0.0
        answer = script.pop(0) if len(script) > 1 else script[0]
        return answer, self._delays[type(m)]


class _ProbeActor(Actor):
    """Takes envelopes undecoded, since a probe has no handlers of its own."""

    forwards: ClassVar[bool] = True

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._open: dict[Promise | Pipe, None] = {}

    async def forward(self, envelope: Envelope) -> None:
        message = decode(envelope.frame)
        answer, delay = self._probe.take(message, envelope.trace)
        port = envelope.port
        if port is not None:
            self._open[port] = None
        self.ctx.run(self._answer, message, answer, delay, port)

    async def _answer(
        self, message: Message, answer: Answer, delay: float, port: Promise | Pipe | None
    ) -> None:
        if delay:
            await trio.sleep(delay)
        try:
            while callable(answer):
                answer = answer(message)
                if inspect.isawaitable(answer):
                    answer = await answer
            if answer is SILENCE or (port is None and not isinstance(answer, Exception)):
                return
            if isinstance(answer, Exception):
                raise answer
            await self._send(answer, port)
        except Refused as e:
            fail_port(port, Failure("refused", problem=e.problem))
        if port is not None:
            self._open.pop(port, None)

    async def _send(self, answer: Answer, port: Promise | Pipe | None) -> None:
        if isinstance(port, Promise):
            port.resolve(encode(answer))
        elif isinstance(port, Pipe):
            with trio.CancelScope() as scope:
                port.on_leave = scope.cancel
                await _push_all(answer, port)

    def ended(self, exit_: Exit) -> None:
        for port in self._open:
            fail_port(port, Failure("died", path=self.ctx.path, exit=exit_))


async def _push_all(items: Answer, pipe: Pipe) -> None:
    pipe.open()
    each = _each(items) if isinstance(items, Iterable) else items
    async with aclosing(each):
        await feed(pipe, each)
    pipe.close()


async def _each(items: Iterable[Message]) -> AsyncGenerator[Message, None]:
    for item in items:
        yield item


@attrs.frozen
class ActorKit:
    """An actor under test."""

    node: Node
    ref: Ref
    """The actor, by name: it survives restarts."""
    injector: FaultInjector

    @property
    def restarts(self) -> int:
        """How often the actor was started again."""
        return self.snapshot.restarts

    @property
    def snapshot(self) -> ActorSnapshot:
        """The actor in the live tree.

        Raises:
            LookupError: It is not there: it ended for good.
        """
        root = self.node.snapshot().root
        found = _find(root, self.ref.path) if root is not None else None
        if found is None:
            raise LookupError(f"{self.ref.path} has ended for good")
        return found

    @property
    def actor(self) -> Actor | None:
        """The behaviour that runs now; None while it is restarted."""
        cell = self.node.find(self.ref.path)
        return cell.actor if cell is not None else None

    @property
    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Messages that nobody received, the newest ones."""
        return tuple(self.node.dead_letters.newest)

    @property
    def counters(self) -> Counters:
        return self.node.counters()

    @property
    def faults(self) -> Counter[str]:
        """Faults that were put in, by title such as `deliver.drop`."""
        return self.injector.counts

    def inject(self, at: str, do: str, **where: Any) -> None:
        """Add a fault from now on; `where` has the fields of `Rule`, `path` is this actor's."""
        self.injector.add(Rule(at, do, **{"path": self.ref.path, **where}))


def _find(snapshot: ActorSnapshot, path: str) -> ActorSnapshot | None:
    if snapshot.path == path:
        return snapshot
    found = (_find(child, path) for child in snapshot.children)
    return next((s for s in found if s is not None), None)


@asynccontextmanager
async def actor_kit(
    subject: ChildSpec | Callable[[], Actor],
    *,
    at: str = "",
    neighbours: Mapping[str, Probe] | None = None,
    faults: FaultPlan | None = None,
    launcher: Launcher | None = None,
    backoff: Backoff = Backoff(first=0.01),  # noqa: B008 -- frozen
    intensity: Intensity = Intensity(),  # noqa: B008 -- frozen
    seed: int = 1,
) -> AsyncIterator[ActorKit]:
    """Run one actor, supervised, with probes in the place of its neighbours.

    Leaving the block stops the actor first, then the probes.

    Args:
        subject: The actor: its spec, or what makes it.
        at: Its path; else `/` and the id of its spec, or `/subject`.
        neighbours: Probes, by path. Paths may be deep: supervisors are put in between.
        faults: What goes wrong from the beginning; `ActorKit.inject` adds to it.
        launcher: For an actor that starts processes.
        backoff: The waits before restarts.
        intensity: How many restarts are too many; then the actor is gone for good.
        seed: Of the jitter.

    Raises:
        StartFailed: The actor could not be started.
    """
    spec = subject if isinstance(subject, ChildSpec) else ChildSpec("subject", subject)
    at = at or f"/{spec.id}"
    leaves = {path: _probe_spec(probe) for path, probe in (neighbours or {}).items()}
    if at in leaves:
        raise ValueError(f"{at} is the actor's own path: say another one with `at`")
    leaves[at] = spec  # started last, so that its neighbours are there
    injector = FaultInjector(faults or FaultPlan(seed=seed))
    node = Node("kit", launcher=launcher, faults=injector, seed=seed)
    root = _tree("root", leaves, backoff, intensity)
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            await nursery.start(node.run, root)
            yield ActorKit(node, node.ref(at), injector)
        except Exception as e:  # noqa: BLE001 -- raised below, bare instead of in a group
            failure = e
        finally:
            node.stop()
    if failure is not None:
        raise failure


def _probe_spec(probe: Probe) -> ChildSpec:
    return ChildSpec("probe", probe.actor, kind="probe")


def _tree(
    id_: str, leaves: Mapping[str, ChildSpec], backoff: Backoff, intensity: Intensity
) -> ChildSpec:
    """The spec of a supervisor over these specs, which are given by their paths below it."""
    rooms: dict[str, dict[str, ChildSpec]] = {}
    for path, spec in leaves.items():
        head, _, rest = path.lstrip("/").partition("/")
        rooms[head] = {**rooms.pop(head, {}), rest: spec}  # the newest room is the last
    children: list[ChildSpec] = []
    for head, below in rooms.items():
        if "" in below and len(below) > 1:
            raise ValueError(f"{head!r} has actors below it: it can be no probe")
        leaf = below.get("")
        children.append(
            attrs.evolve(leaf, id=head)
            if leaf is not None
            else _tree(head, below, backoff, intensity)
        )
    return ChildSpec(
        id_,
        lambda: Supervisor(children, backoff=backoff, intensity=intensity),
        kind="supervisor",
        shutdown=30.0,
    )
