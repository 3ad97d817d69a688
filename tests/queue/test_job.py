"""A job and its follower."""

import pytest
import trio

from actorllm.actors.kernel import ActorDied
from actorllm.actors.kernel.testkit import SILENCE
from actorllm.actors.queue.refusals import UNANSWERED
from actorllm.actors.runner.messages import Generate, Piece
from actorllm.protocol.messages.generation import Chunk, Follow, FollowEmbed
from actorllm.protocol.messages.models import ResolveModel
from actorllm.protocol.messages.scheduling import Acquire, Lease
from tests.queue.conftest import HELLO, PIECES, RUNNER, refused


async def test_a_job_that_nobody_follows_ends(autojump_clock, world):
    async with world() as w:
        ticket = await w.submit(HELLO)
        assert w.jobs == 1
        await trio.sleep(1.1)
        assert w.jobs == 0
        with pytest.raises(ActorDied):
            async with w.kit.node.ref(ticket.job).stream(Follow()) as items:
                await anext(items)
        assert w.library.messages == []


async def test_a_job_has_one_follower_and_of_its_kind(autojump_clock, world):
    async with world(pieces=([PIECES[0]],)) as w:
        w.library.on(ResolveModel, SILENCE)
        job = w.kit.node.ref((await w.submit(HELLO)).job)
        async with job.stream(FollowEmbed()) as wrong:
            problem = await refused(anext(wrong))
        assert (problem.status, problem.text) == (409, "this job is followed already")
        async with job.stream(Follow()), job.stream(Follow()) as second:
            assert (await refused(anext(second))).status == 409


async def test_who_leaves_ends_the_job_and_its_lease(autojump_clock, world):
    async with world() as w:
        left = trio.Event()

        async def lease(_):
            try:
                yield Lease(7, RUNNER, 1, 1024, 5)
                await trio.sleep_forever()
            finally:
                left.set()

        async def endless(_):
            while True:
                yield Piece((1,), Chunk("x"))

        w.scheduler.on(Acquire, lease)
        w.runner.on(Generate, endless)
        ticket = await w.submit(HELLO)
        async with w.kit.node.ref(ticket.job).stream(Follow(), window=4) as items:
            assert (await anext(items)).content == "x"
        with trio.fail_after(1):
            await left.wait()
        await trio.sleep(0.1)
        assert w.jobs == 0


async def test_a_daemon_that_stays_silent_is_told_as_such(autojump_clock, world):
    async with world() as w:
        w.library.on(ResolveModel, SILENCE)
        problem = await refused(w.generate(HELLO))
        assert (problem.status, problem.text, problem.retry_after) == (503, UNANSWERED, 1)
        assert len(w.library.received(ResolveModel)) == 3
