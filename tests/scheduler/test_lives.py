"""When models are loaded, how long they stay, and who has to go."""

import math

import pytest
import trio

from actorllm.actors.scheduler.rungs import Rungs, machine_id
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.models import MemoryShape
from tests.scheduler import runners
from tests.simulation.system import KEEP_ALIVE, make_model

ANT = make_model("ant")
BEE = make_model("bee")
CAT = make_model("cat")
SECOND = 1_000_000_000
GIB = 1 << 30


async def use(d, model, **options):
    holder = await d.get(model, **options)
    await holder.let_go()


async def test_an_idle_model_goes_when_its_keep_alive_is_over(autojump_clock, desk):
    async with desk() as d:
        await use(d, ANT)
        await trio.sleep(KEEP_ALIVE - 0.01)
        assert await d.loaded() == ["ant"]
        await trio.sleep(0.2)
        assert await d.loaded() == []
        assert d.processes == []


async def test_each_request_begins_the_keep_alive_anew_and_a_running_one_stops_it(
    autojump_clock, desk
):
    async with desk() as d:
        await use(d, ANT)
        await trio.sleep(KEEP_ALIVE - 1)
        holder = await d.get(ANT)
        await trio.sleep(10 * KEEP_ALIVE)
        await holder.let_go()
        await trio.sleep(KEEP_ALIVE - 1)
        assert d.processes == ["ant-1"]
        await trio.sleep(1.2)
        assert d.processes == []


@pytest.mark.parametrize(
    ("keep_alive", "after", "stays"),
    [(0, 0.2, False), (60 * SECOND, 59, True), (60 * SECOND, 61, False), (-1, 1000, True)],
)
async def test_a_request_says_how_long_its_model_stays(
    autojump_clock, desk, keep_alive, after, stays
):
    async with desk() as d:
        await use(d, ANT, keep_alive=keep_alive)
        await trio.sleep(after)
        assert (d.processes == ["ant-1"]) is stays


async def test_a_request_that_does_not_say_keeps_the_last_keep_alive(autojump_clock, desk):
    async with desk() as d:
        await use(d, ANT, keep_alive=60 * SECOND)
        await use(d, ANT)
        await trio.sleep(59)
        assert d.processes == ["ant-1"]


async def test_the_list_tells_who_stays_longest_first(autojump_clock, desk):
    async with desk() as d:
        await use(d, ANT, keep_alive=10 * SECOND)
        await use(d, BEE, keep_alive=-1)
        await use(d, CAT, keep_alive=20 * SECOND)
        assert await d.loaded() == ["bee", "cat", "ant"]


async def test_no_more_models_are_loaded_than_may_be(autojump_clock, desk):
    async with desk(max_loaded_models=2, keep_alive=math.inf) as d:
        await use(d, ANT, keep_alive=20 * SECOND)
        await use(d, BEE, keep_alive=10 * SECOND)
        await use(d, CAT)
        assert sorted(await d.loaded()) == ["ant", "cat"]  # the bee would have gone first
        assert len(d.processes) == 2


async def test_eviction_waits_for_the_busy_one(autojump_clock, desk):
    async with desk(max_loaded_models=1) as d:
        busy = await d.get(ANT)
        other = await d.wait(BEE)
        late = await d.wait(ANT)
        await trio.sleep(30)
        assert other.lease is None
        assert d.processes == ["ant-1"]
        await busy.let_go()
        await other.answered.wait()
        assert d.processes == ["bee-2"]
        assert late.lease is None
        await other.let_go()
        await late.answered.wait()
        assert late.lease.runner == "/scheduler/ant-3"


async def test_an_idle_one_goes_before_a_busy_one(autojump_clock, desk):
    async with desk(max_loaded_models=2) as d:
        await d.get(ANT, keep_alive=0)
        await use(d, BEE, keep_alive=-1)
        await use(d, CAT)
        assert d.processes == ["ant-1", "cat-3"]


@pytest.mark.parametrize("entry", [runners.PLAIN, runners.CHANCE])
async def test_a_deterministic_request_has_its_model_loaded_for_it_once(
    autojump_clock, desk, entry
):
    async with desk(entry=entry, keep_alive=math.inf) as d:
        await use(d, ANT)
        await use(d, ANT, deterministic=True)
        assert d.processes == ["ant-2"]
        await use(d, ANT)
        await use(d, ANT, deterministic=True)
        assert d.processes == ["ant-2"]


async def test_a_model_that_is_deterministic_anyway_is_not_loaded_again(autojump_clock, desk):
    async with desk(keep_alive=math.inf) as d:
        await use(d, ANT)
        await use(d, ANT, deterministic=True)
        assert d.processes == ["ant-1"]


async def test_memory_makes_others_go(autojump_clock, desk):
    async with desk(memory=lambda: GIB) as d:
        await use(d, ANT)
        large = make_model("large", memory=MemoryShape(weights=GIB * 9 // 10))
        await use(d, large)
        assert await d.loaded() == ["large"]


async def test_a_model_that_never_fits_is_refused(autojump_clock, desk):
    async with desk(memory=lambda: GIB) as d:
        with pytest.raises(Refused) as refused:
            await d.get(make_model("huge", memory=MemoryShape(weights=70 * GIB)))
        problem = refused.value.problem
        assert problem.status == 500
        assert problem.text == (
            "model requires more system memory (70.0 GiB) than is available (1.0 GiB); "
            "lower num_ctx or use a smaller quantization"
        )
        await d.get(ANT)


async def test_a_load_that_nobody_waits_for_is_abandoned(autojump_clock, desk):
    async with desk(entry=runners.SLOW) as d:
        first, second = await d.wait(ANT), await d.wait(ANT)
        await trio.sleep(2)
        assert d.processes == ["ant-1"]
        await first.let_go()
        await trio.sleep(2)
        assert d.kit.snapshot.info["loading"] == "ant"
        await second.let_go()
        await trio.sleep(0.5)
        assert d.processes == []
        assert d.kit.snapshot.info["loading"] == ""
        await d.get(ANT)
        assert d.processes == ["ant-2"]


async def test_a_load_without_progress_is_given_up(autojump_clock, desk):
    async with desk(entry=runners.STUCK, load_timeout=7.0) as d:
        began = trio.current_time()
        with pytest.raises(Refused) as refused:
            await d.get(ANT)
        assert trio.current_time() - began == pytest.approx(7.0)
        assert refused.value.problem.status == 500
        assert refused.value.problem.text == (
            "loading 'ant' made no progress for 7 s; set ACTORLLM_LOAD_TIMEOUT to wait longer"
        )
        await trio.sleep(1)
        assert d.processes == []


async def test_a_load_may_take_as_long_as_it_makes_progress(autojump_clock, desk):
    async with desk(entry=runners.SLOW, load_timeout=7.0) as d:
        holder = await d.get(ANT)
        assert holder.lease.load_duration > runners.SLOW_LOAD * SECOND


async def test_a_model_that_crashes_its_runner_is_loaded_more_safely(
    autojump_clock, desk, tmp_path
):
    async with desk(entry=runners.FRAGILE) as d:
        holder = await d.get(ANT)
        assert holder.lease.notices == (
            "degraded to stay alive: without flash attention and memory mapping, KV cache in f16",
        )
        assert holder.lease.runner == "/scheduler/ant-3"
    assert Rungs(tmp_path / "rungs.json", machine_id()).get(ANT.weights.digest) == 2
    async with desk(entry=runners.FRAGILE) as d:
        assert (await d.get(ANT)).lease.runner == "/scheduler/ant-1"  # it was remembered


async def test_a_load_without_an_outcome_is_tried_again_and_then_given_up(autojump_clock, desk):
    async with desk(entry=runners.MUTE) as d:
        with pytest.raises(Refused) as refused:
            await d.get(ANT)
        assert refused.value.problem.status == 500
        assert "does not answer" in refused.value.problem.text
        assert d.processes == []


async def test_a_model_that_crashes_on_every_rung_is_refused_and_others_load(
    autojump_clock, desk, tmp_path
):
    async with desk(entry=runners.HOPELESS) as d:
        with pytest.raises(Refused) as refused:
            await d.get(ANT)
        assert refused.value.problem.status == 500
        assert refused.value.problem.text.startswith("the runner of 'ant' died while loading (")
        assert refused.value.problem.text.endswith(
            "; see the daemon's log, or try another quantization"
        )
        assert d.processes == []
        assert Rungs(tmp_path / "rungs.json", machine_id()).get(ANT.weights.digest) == 0
        with pytest.raises(Refused):
            await d.get(BEE)


async def test_an_expired_model_goes_although_it_is_wanted_on_other_terms(autojump_clock, desk):
    async with desk(entry=runners.SLOW, keep_alive=5.0) as d:
        await use(d, ANT, num_ctx=256)
        bee, larger = await d.wait(BEE), await d.wait(ANT, num_ctx=512)
        await trio.sleep(10)
        assert d.processes == ["bee-2"]
        await bee.answered.wait()
        await larger.answered.wait()
        assert larger.lease.runner == "/scheduler/ant-3"


async def test_the_second_model_waits_for_the_load_of_the_first(autojump_clock, desk):
    async with desk() as d:
        await d.wait(ANT)
        await d.wait(BEE)
        assert d.processes == ["ant-1"]
        await trio.sleep(1)
        assert d.processes == ["ant-1", "bee-2"]
