"""Watching an engine whose thread may hang."""

from types import SimpleNamespace

import pytest
import trio

from actorllm.actors.runner.engine.types import EngineSettings
from actorllm.actors.runner.host import STUCK_SECONDS, ThreadHost


@pytest.fixture
async def host(monkeypatch):
    made = ThreadHost(EngineSettings(model_path="none"))
    made.phase, made.passes = "decode", 0

    def stats():
        return SimpleNamespace(passes=made.passes, slots=(SimpleNamespace(phase=made.phase),))

    monkeypatch.setattr(made, "stats", stats)
    return made


async def test_an_engine_that_computes_nothing_although_it_should_ends_the_runner(
    host, autojump_clock
):
    with pytest.raises(RuntimeError, match="computed nothing for 300 s"):
        await host.run()
    assert trio.current_time() >= STUCK_SECONDS


@pytest.mark.parametrize("phase", ["idle", "parked"])
async def test_an_engine_that_has_nothing_to_do_may_rest(phase, host, autojump_clock):
    host.phase = phase
    with trio.move_on_after(10 * STUCK_SECONDS) as scope:
        await host.run()
    assert scope.cancelled_caught


async def test_slow_passes_are_no_hang(host, autojump_clock):
    async def compute():
        while True:
            await trio.sleep(STUCK_SECONDS * 0.9)
            host.passes += 1

    with trio.move_on_after(10 * STUCK_SECONDS) as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(compute)
            await host.run()
    assert scope.cancelled_caught
