"""Watching an engine whose thread may hang."""

import attrs
import pytest
import trio

from actorllm.actors.runner.engine.types import EngineSettings, SlotStats
from actorllm.actors.runner.host import ThreadHost, memory_now
from actorllm.actors.runner.watch import HUNG_SECONDS
from tests.runner.test_watch import STATS


@pytest.fixture
async def host(monkeypatch):
    told = []
    made = ThreadHost(EngineSettings(model_path="none"), report=told.append)
    made.now, made.told = STATS, told
    monkeypatch.setattr(made, "stats", lambda: made.now)
    return made


async def test_an_engine_that_computes_nothing_although_it_should_ends_the_runner(
    host, autojump_clock
):
    with pytest.raises(RuntimeError, match="has computed nothing for"):
        await host.run()
    assert trio.current_time() >= HUNG_SECONDS
    assert [fault.kind for fault in host.told] == ["hung"]


@pytest.mark.parametrize("phase", ["idle", "parked"])
async def test_an_engine_that_has_nothing_to_do_may_rest(phase, host, autojump_clock):
    host.now = attrs.evolve(STATS, slots=(SlotStats(0, None, 0, phase),))
    with trio.move_on_after(10 * HUNG_SECONDS) as scope:
        await host.run()
    assert scope.cancelled_caught
    assert host.told == []


async def test_slow_passes_are_no_hang(host, autojump_clock):
    async def compute():
        while True:
            await trio.sleep(HUNG_SECONDS * 0.9)
            passes = host.now.passes + 1
            host.now = attrs.evolve(host.now, passes=passes, last_pass_seconds=HUNG_SECONDS * 0.9)

    with trio.move_on_after(10 * HUNG_SECONDS) as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(compute)
            await host.run()
    assert scope.cancelled_caught


def test_memory_is_that_of_this_process_and_machine():
    memory = memory_now()
    assert 0 < memory.used < memory.total
    assert 0 < memory.free < memory.total
