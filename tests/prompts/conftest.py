"""The prompts actor alone; library, scheduler and a runner by script."""

from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from actorllm.actors.kernel import ChildSpec
from actorllm.actors.kernel.testkit import ActorKit, Probe, actor_kit
from actorllm.actors.prompts.actor import Prompts
from actorllm.actors.runner.messages import Detokenize, Render, Tokenize
from actorllm.protocol.messages.models import ResolveModel
from actorllm.protocol.messages.prompts import DetokenizedText, RenderedPrompt, TextTokens
from actorllm.protocol.messages.scheduling import Acquire, Lease
from tests.simulation.system import make_model

RUNNER = "/runners/one"
LEASE = Lease(7, RUNNER, 1, 1024, 5_000)
RESTART = 2.0
"""Seconds within which a runner is started again."""
PROMPT = RenderedPrompt("<hi>", "jinja", "the settings ask for it", False, (1, 2), num_ctx=64)


@attrs.frozen
class World:
    kit: ActorKit
    library: Probe
    scheduler: Probe
    runner: Probe
    leases: list[int]
    """How many are held."""

    async def ask(self, question):
        with trio.fail_after(5):
            return await self.kit.ref.ask(question, timeout=5)

    async def only(self, question):
        with trio.fail_after(5):
            async with self.kit.ref.stream(question) as items:
                [item] = [item async for item in items]
                return item


@pytest.fixture
def world():
    @asynccontextmanager
    async def open_world(model=None, answers=()):
        leases = [0]

        async def held():
            leases[0] += 1
            if runner.incarnations > 1 or runner.messages:
                await trio.sleep(RESTART)  # until the next incarnation is there
            try:
                yield attrs.evolve(LEASE, incarnation=runner.incarnations)
                await trio.sleep_forever()
            finally:
                leases[0] -= 1

        library = Probe().on(ResolveModel, model or make_model("m"))
        scheduler = Probe().on(Acquire, lambda _: held())
        runner = Probe().on(Render, PROMPT).on(Tokenize, TextTokens((5, 6)))
        runner.on(Detokenize, *(answers or (DetokenizedText("hi"),)))
        neighbours = {"/library": library, "/scheduler": scheduler, RUNNER: runner}
        async with actor_kit(ChildSpec("prompts", Prompts), neighbours=neighbours) as kit:
            yield World(kit, library, scheduler, runner, leases)
            await trio.testing.wait_all_tasks_blocked()
            assert leases == [0]
        assert kit.dead_letters == ()

    return open_world
