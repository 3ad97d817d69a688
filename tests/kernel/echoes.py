"""A small system for simulations: process actors that echo, and an actor before them."""

from collections.abc import AsyncIterator

from actorllm.actors.kernel import Actor, Backoff, ChildSpec, Intensity, Supervisor, concurrent
from actorllm.actors.kernel.process import ProcessActor
from actorllm.protocol.codec import Ask, Stream, Value, message

handled: list[str] = []
"""Attempts that were taken up, in all "processes" of a simulation."""


@message
class Said(Value):
    text: str


@message
class Say(Ask[Said]):
    attempt: str
    """No two attempts have one; taken up twice is a defect."""


@message
class Spell(Stream[Said]):
    attempt: str
    letters: int


@message
class Nobody(Value):
    pass


class Echo(Actor):
    def __init__(self, _: Nobody) -> None:
        pass

    async def say(self, m: Say) -> Said:
        handled.append(m.attempt)
        return Said(m.attempt)

    async def spell(self, m: Spell) -> AsyncIterator[Said]:
        handled.append(m.attempt)
        for n in range(m.letters):
            yield Said(f"{m.attempt}:{n}")


class Relay(Actor):
    """Hands everything on, so that answers cross a second actor."""

    @concurrent
    async def say(self, m: Say) -> Said:
        return await self.ctx.ref("/echoes/a").ask(Say(f"{m.attempt}+"), timeout=3)

    async def spell(self, m: Spell) -> AsyncIterator[Said]:
        request = Spell(f"{m.attempt}+", m.letters)
        async with self.ctx.ref("/echoes/b").stream(request, window=3, open_timeout=3) as items:
            async for item in items:
                yield item


def system() -> ChildSpec:
    patient = {
        "intensity": Intensity(restarts=1000, seconds=60),
        "backoff": Backoff(first=0.05, cap=1.0),
    }

    def process(id_):
        return ChildSpec(id_, lambda: ProcessActor("echoes:Echo", Nobody()), kind="process")

    def echoes():
        return Supervisor([process("a"), process("b")], **patient)

    children = [ChildSpec("echoes", echoes, kind="supervisor"), ChildSpec("relay", Relay)]
    return ChildSpec("root", lambda: Supervisor(children, **patient), kind="supervisor")
