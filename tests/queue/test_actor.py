"""Admission."""

from actorllm.actors.queue.refusals import BUSY
from tests.queue.conftest import HELLO, refused, text_of


async def test_more_jobs_than_may_live_are_refused(autojump_clock, world):
    async with world(max_jobs=2) as w:
        for _ in range(2):
            await w.submit(HELLO)
        problem = await refused(w.submit(HELLO))
        assert (problem.status, problem.text, problem.retry_after) == (503, BUSY, 2)
        assert w.kit.snapshot.info == {"jobs": 2, "admitted": 2, "refused": 1}


async def test_a_job_that_cannot_start_costs_its_request_alone(autojump_clock, world):
    async with world() as w:
        w.kit.inject("spawn", "fail", path="/queue/*", limit=1)
        assert (await refused(w.submit(HELLO))).status == 503
        assert text_of(await w.generate(HELLO)) == "hey"
        assert w.kit.restarts == 0
