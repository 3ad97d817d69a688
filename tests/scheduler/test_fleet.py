"""The runners that there are."""

import math

import pytest
import trio

from actorllm.actors.scheduler.fleet import Fleet
from actorllm.actors.scheduler.rungs import Rungs
from tests.scheduler.records import make_runner
from tests.simulation.system import in_place

ANT = "sha256:ant"


@pytest.fixture
def said():
    return []


@pytest.fixture
def fleet(tmp_path, said):
    return Fleet(
        Rungs(tmp_path / "state" / "rungs.json", "cpu"),
        changed=lambda: None,
        warn=lambda event, **_: said.append(event),
        in_thread=in_place,
    )


def test_the_name_of_a_child_is_its_models_for_the_eye(fleet):
    assert fleet.next_child("hf.co/a b:q4") == "hf.co-a-b-q4-1"
    assert fleet.next_child("ant") == "ant-2"


def test_what_is_loading_makes_no_room(fleet):
    loading, ready = make_runner("ant"), make_runner("bee", state="ready")
    for one in (loading, ready):
        fleet.add(one)
    assert fleet.evictable() == [ready]


def test_the_first_to_expire_is_waited_for(fleet):
    assert fleet.next_expiry == math.inf
    for name, since in (("ant", 7.0), ("bee", 5.0)):
        fleet.add(make_runner(name, state="ready", idle_since=since))
    assert fleet.next_expiry == 15.0


def test_a_runner_that_has_a_successor_is_forgotten_alone(fleet):
    first, second = make_runner("ant"), make_runner("ant")
    fleet.add(first)
    fleet.add(second)
    fleet.forget(first)
    assert first.gone.is_set()
    assert fleet.get(ANT) is second


async def test_an_eviction_waits_until_the_runner_has_gone(fleet, autojump_clock):
    await fleet.evict(ANT)  # nobody is there
    ant = make_runner("ant", state="ready")
    fleet.add(ant)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fleet.evict, ANT)
        await trio.testing.wait_all_tasks_blocked()
        assert ant.draining
        fleet.forget(ant)


async def test_weights_step_down_until_there_is_no_rung_left(fleet, said):
    rung = 0
    while (lower := await fleet.step_down(ANT, rung)) is not None:
        assert (lower, fleet.rung(ANT)) == (rung + 1, rung + 1)
        rung = lower
    assert said == ["stepping down the degrade ladder"] * rung


async def test_a_rung_that_cannot_be_written_is_told(fleet, said, tmp_path):
    (tmp_path / "state").write_text("no folder")
    await fleet.remember(ANT, 1)
    assert said == ["cannot remember the rung"]
    assert fleet.rung(ANT) == 1
