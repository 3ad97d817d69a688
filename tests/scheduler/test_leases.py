"""Who gets a slot, and when."""

import pytest
import trio

from actorllm.actors.queue.refusals import BUSY
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.scheduling import Unload
from tests.scheduler.conftest import settle
from tests.simulation.system import make_model

ANT = make_model("ant")
BEE = make_model("bee")


async def test_a_model_is_loaded_once_for_all_its_slots(autojump_clock, desk):
    async with desk(num_parallel=3) as d:
        holders = [await d.wait(ANT) for _ in range(3)]
        for holder in holders:
            await holder.answered.wait()
        assert {h.lease.runner for h in holders} == {"/scheduler/ant-1"}
        durations = sorted(h.lease.load_duration for h in holders)
        assert durations[:2] == [1000, 1000]  # one of them has waited for the load
        assert durations[2] == pytest.approx(0.4e9)


async def test_two_names_of_the_same_weights_share_a_runner(autojump_clock, desk):
    async with desk() as d:
        first = await d.get(make_model("ant"))
        second = await d.get(make_model("pet", weights="ant"))
        assert first.lease.runner == second.lease.runner
        assert d.processes == ["ant-1"]


async def test_who_finds_no_slot_waits_until_one_is_given_back(autojump_clock, desk):
    async with desk(num_parallel=1) as d:
        first = await d.get(ANT)
        second = await d.wait(ANT)
        assert second.lease is None
        await first.let_go()
        assert second.lease is not None


async def test_clients_take_turns_whatever_they_have_sent(autojump_clock, desk):
    async with desk(num_parallel=1) as d:
        current = await d.get(ANT, "greedy")
        clients = ("greedy", "greedy", "greedy", "modest", "other")
        waiting = [(client, await d.wait(ANT, client)) for client in clients]
        order = []
        while waiting:
            await current.let_go()
            [(client, current)] = [(c, h) for c, h in waiting if h.lease is not None]
            waiting.remove((client, current))
            order.append(client)
        assert order == ["greedy", "modest", "other", "greedy", "greedy"]


async def test_too_many_that_wait_are_sent_away(autojump_clock, desk):
    async with desk(num_parallel=1, max_queue=2) as d:
        await d.get(ANT)
        for _ in range(2):
            await d.wait(ANT)
        with pytest.raises(Refused) as refused:
            await d.get(BEE)
        problem = refused.value.problem
        assert (problem.status, problem.text, problem.retry_after) == (503, BUSY, 2)


async def test_who_leaves_the_queue_is_forgotten(autojump_clock, desk):
    async with desk(num_parallel=1) as d:
        first = await d.get(ANT)
        second, third = await d.wait(ANT), await d.wait(ANT)
        await second.let_go()
        await first.let_go()
        assert third.lease is not None
        assert d.kit.snapshot.info["waiting"] == 0
        assert d.kit.snapshot.info["leases"] == 1


async def test_suspects_do_not_run_side_by_side(autojump_clock, desk):
    async with desk() as d:
        innocent = await d.get(ANT)
        first = await d.get(ANT, suspect=True)
        second = await d.wait(ANT, suspect=True)
        assert first.lease.unproven
        assert second.lease is None
        await d.prove(innocent)
        await settle()
        assert second.lease is None
        await d.prove(first)
        await settle()
        assert second.lease is not None


async def test_a_suspect_that_leaves_makes_way_for_the_next(autojump_clock, desk):
    async with desk() as d:
        first = await d.get(ANT, suspect=True)
        second = await d.wait(ANT, suspect=True)
        await first.let_go()
        assert second.lease is not None


async def test_a_suspect_had_its_turn_already(autojump_clock, desk):
    async with desk(num_parallel=1) as d:
        current = await d.get(ANT)
        usual = await d.wait(ANT, "a")
        suspect = await d.wait(ANT, "b", suspect=True)
        await current.let_go()
        assert suspect.lease is not None
        assert usual.lease is None


async def test_a_runner_is_proven_once(autojump_clock, desk):
    async with desk() as d:
        first = await d.get(ANT)
        assert first.lease.unproven
        await d.prove(first)
        assert not (await d.get(ANT)).lease.unproven


async def test_a_dead_runner_is_replaced_for_those_who_wait(autojump_clock, desk):
    async with desk(num_parallel=1) as d:
        first = await d.get(ANT)
        second = await d.wait(ANT)
        d.kit.node.find("/scheduler/ant-1").actor.kill()
        with trio.fail_after(5):
            await second.answered.wait()
        assert second.lease.runner == "/scheduler/ant-2"
        await first.let_go()  # its lease was on the dead one
        assert d.kit.snapshot.info["leases"] == 1


async def test_a_smaller_context_never_reloads(autojump_clock, desk):
    async with desk() as d:
        first = await d.get(ANT, num_ctx=1024)
        second = await d.get(ANT, num_ctx=256)
        third = await d.get(ANT)
        assert {h.lease.runner for h in (first, second, third)} == {"/scheduler/ant-1"}
        assert {h.lease.num_ctx for h in (first, second, third)} == {1024}


async def test_a_larger_context_reloads_when_the_running_requests_have_ended(autojump_clock, desk):
    async with desk() as d:
        first = await d.get(ANT, num_ctx=256)
        larger = await d.wait(ANT, num_ctx=512)
        behind = await d.wait(ANT)
        await trio.sleep(10)
        assert larger.lease is None
        assert behind.lease is None  # else a busy model would never be reloaded
        await first.let_go()
        await larger.answered.wait()
        await behind.answered.wait()
        assert (larger.lease.runner, larger.lease.num_ctx) == ("/scheduler/ant-2", 512)
        assert behind.lease.runner == "/scheduler/ant-2"
        assert d.processes == ["ant-2"]


async def test_other_models_load_while_a_reload_waits(autojump_clock, desk):
    async with desk() as d:
        await d.get(ANT, num_ctx=256)
        larger = await d.wait(ANT, num_ctx=512)
        with trio.fail_after(5):
            other = await d.get(BEE)
        assert other.lease.runner == "/scheduler/bee-2"
        assert larger.lease is None


async def test_many_requests_share_an_embedding_model(autojump_clock, desk):
    async with desk() as d:
        model = make_model("emb", pooling=1)
        for _ in range(32):
            await d.get(model)
        assert d.processes == ["emb-1"]
        further = await d.wait(model)
        assert further.lease is None


async def test_a_model_is_unloaded_when_its_requests_have_ended(autojump_clock, desk):
    async with desk() as d:
        ask = d.kit.ref.ask
        assert not (await ask(Unload(ANT.weights.digest), timeout=1)).found
        holder = await d.get(ANT)
        assert (await ask(Unload(ANT.weights.digest), timeout=1)).found
        await trio.sleep(1)
        assert d.processes == ["ant-1"]
        await holder.let_go()
        await trio.sleep(0.1)
        assert d.processes == []
