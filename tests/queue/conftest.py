"""The queue alone; library, scheduler and a runner by script."""

from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from actorllm.actors.kernel import ChildSpec
from actorllm.actors.kernel.testkit import ActorKit, Probe, actor_kit
from actorllm.actors.queue.actor import Queue
from actorllm.actors.runner.messages import Embed, Embedded, Generate, Piece
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import (
    Chunk,
    Done,
    Follow,
    FollowEmbed,
    GenerateRequest,
    Submit,
    SubmitEmbed,
)
from actorllm.protocol.messages.models import ResolveModel
from actorllm.protocol.messages.scheduling import (
    Acquire,
    Lease,
    Proven,
    ProvenNoted,
    Unload,
    Unloaded,
)
from tests.simulation.system import make_model

RUNNER = "/runners/one"
LEASE = Lease(7, RUNNER, 1, 1024, 5_000, unproven=True)
HELLO = GenerateRequest("m", "generate", prompt="hello", options={"seed": 3})
PIECES = (Piece((1,), Chunk("he")), Piece((2,), Chunk("y")), Piece((), Chunk(done=Done("stop"))))


def text_of(chunks):
    return "".join(chunk.content for chunk in chunks)


async def refused(awaitable):
    with pytest.raises(Refused) as caught:
        await awaitable
    return caught.value.problem


async def held(lease):
    """A lease that lasts until its stream is left."""
    yield lease
    await trio.sleep_forever()


@attrs.frozen
class World:
    kit: ActorKit
    library: Probe
    scheduler: Probe
    runner: Probe

    async def submit(self, request, client="c"):
        return await self.kit.ref.ask(Submit(request, client), timeout=1)

    async def generate(self, request):
        ticket = await self.submit(request)
        async with self.kit.node.ref(ticket.job).stream(Follow()) as items:
            return [item async for item in items]

    async def embed(self, request):
        ticket = await self.kit.ref.ask(SubmitEmbed(request, "c"), timeout=1)
        async with self.kit.node.ref(ticket.job).stream(FollowEmbed()) as items:
            [vectors] = [item async for item in items]
            return vectors

    @property
    def jobs(self) -> int:
        return self.kit.snapshot.info["jobs"]


@pytest.fixture
def world():
    @asynccontextmanager
    async def open_world(*, model=None, lease=LEASE, pieces=(PIECES,), max_jobs=8):
        library = Probe().on(ResolveModel, model or make_model("m"))
        scheduler = (
            Probe()
            .on(Acquire, lambda _: held(lease))
            .on(Proven, ProvenNoted())
            .on(Unload, Unloaded(found=True))
        )
        runner = Probe().on(Generate, *pieces).on(Embed, [Embedded(((0.5, 1.5),), 3)])
        neighbours = {"/library": library, "/scheduler": scheduler, RUNNER: runner}
        spec = ChildSpec("queue", lambda: Queue(max_jobs), kind="supervisor")
        async with actor_kit(spec, neighbours=neighbours) as kit:
            yield World(kit, library, scheduler, runner)
        assert kit.dead_letters == ()
        assert kit.counters.doubled == 0

    return open_world
