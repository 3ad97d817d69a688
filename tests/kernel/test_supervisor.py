"""Supervisors at work: order, restarts, escalation and bounded shutdown."""

from itertools import pairwise

import attrs
import pytest
import trio
import trio.testing
from counter import Counter, Fail, Read, Total

from actorllm.actors.kernel import (
    Actor,
    ActorDied,
    Backoff,
    ChildSpec,
    DynamicSupervisor,
    Intensity,
    Node,
    Restart,
    StartFailed,
    Strategy,
    Supervisor,
)


class Diary:
    """What happened to a family of children, in order."""

    def __init__(self):
        self.events = []

    def child(self, id_, base=Counter, **spec):
        diary = self

        class Child(base):
            async def started(self):
                diary.events.append(f"+{id_}")

            async def stopped(self):
                diary.events.append(f"-{id_}")

            def ended(self, exit_):
                if exit_.is_failure:
                    diary.events.append(f"!{id_}")

        return ChildSpec(id_, Child, **spec)

    def take(self):
        events, self.events = self.events, []
        return " ".join(events)


@pytest.fixture
def diary():
    return Diary()


async def crash(node, path):
    with pytest.raises(ActorDied, match="boom"):
        await node.ref(path).ask(Fail("crash"), timeout=1)


@pytest.mark.parametrize(
    ("strategy", "events"),
    [
        (Strategy.ONE_FOR_ONE, "!b +b"),
        (Strategy.REST_FOR_ONE, "!b -c +b +c"),
        (Strategy.ONE_FOR_ALL, "!b -c -a +a +b +c"),
    ],
)
async def test_each_strategy_restarts_its_set_in_order(
    running, diary, autojump_clock, strategy, events
):
    children = [diary.child(id_) for id_ in "abc"]
    async with running(*children, strategy=strategy) as node:
        assert diary.take() == "+a +b +c"
        await crash(node, "/b")
        await trio.sleep(1)
        assert diary.take() == events
    assert diary.take() == "-c -b -a"


async def test_a_dynamic_supervisor_starts_and_stops_children_on_request(
    running, diary, autojump_clock
):
    sup = DynamicSupervisor()
    async with running(ChildSpec("pool", lambda: sup)) as node:
        ref = await sup.start_child(diary.child("x"))
        await sup.start_child(diary.child("y", restart=Restart.TEMPORARY))
        assert await ref.ask(Read(), timeout=1) == Total(0)
        with pytest.raises(ValueError, match="has a child 'x' already"):
            await sup.start_child(diary.child("x"))
        await crash(node, "/pool/x")
        await crash(node, "/pool/y")
        await trio.sleep(1)
        assert diary.take() == "+x +y !x !y +x"
        assert not ref.alive
        assert node.ref("/pool/x").alive
        await sup.stop_child("x")
        await sup.stop_child("x")
        assert diary.take() == "-x"
        again = await sup.start_child(diary.child("x"))
        assert again.incarnation == 3  # no reference to one that has gone means this one
        await sup.stop_child("x")
        assert node.snapshot().root.children[0].children == ()


async def test_a_cancelled_start_leaves_no_trace(running, autojump_clock):
    class Slow(Actor):
        async def started(self):
            await trio.sleep(10)

    sup = DynamicSupervisor()
    async with running(ChildSpec("pool", lambda: sup)) as node:
        with trio.move_on_after(1) as scope:
            await sup.start_child(ChildSpec("x", Slow))
        assert scope.cancelled_caught
        assert not node.ref("/pool/x").alive
        await sup.start_child(ChildSpec("x", Slow))


async def test_a_start_that_fails_or_takes_too_long_is_told(running, autojump_clock):
    class Broken(Actor):
        async def started(self):
            raise OSError("no disk")

    class Endless(Actor):
        async def started(self):
            await trio.sleep_forever()

    sup = DynamicSupervisor()
    async with running(ChildSpec("pool", lambda: sup)):
        with pytest.raises(StartFailed, match="no disk"):
            await sup.start_child(ChildSpec("x", Broken))
        with pytest.raises(StartFailed, match="TooSlow"):
            await sup.start_child(ChildSpec("x", Endless, start_timeout=2))
        assert sup.children == {}


@pytest.mark.parametrize(
    ("restart", "ends", "fails"),
    [
        (Restart.PERMANENT, True, True),
        (Restart.TRANSIENT, False, True),
        (Restart.TEMPORARY, False, False),
    ],
)
async def test_restart_types(running, autojump_clock, restart, ends, fails):
    class Mortal(Counter):
        async def read(self, m: Read) -> Total:
            self.ctx.end()
            return Total(0)

    async with running(ChildSpec("x", Mortal, restart=restart)) as node:
        await node.ref("/x").ask(Read(), timeout=1)
        await trio.sleep(1)
        assert node.ref("/x").alive == ends
    async with running(ChildSpec("x", Mortal, restart=restart)) as node:
        await crash(node, "/x")
        await trio.sleep(1)
        assert node.ref("/x").alive == fails


async def test_too_many_restarts_escalate_and_the_next_supervisor_restarts_the_family(
    running, diary, autojump_clock
):
    def family():
        return Supervisor(
            [diary.child("a"), diary.child("b")], intensity=Intensity(restarts=2, seconds=60)
        )

    async with running(ChildSpec("family", family)) as node:
        for _ in range(3):
            await crash(node, "/family/a")
            await trio.sleep(5)
        assert diary.take() == "+a +b !a +a !a +a !a -b +a +b"
        top = node.snapshot().root.children[0]
        assert top.restarts == 1
        assert "more than 2 restarts in 60 s" in top.last_exit


async def test_restarts_far_apart_never_escalate(running, autojump_clock):
    sup = Supervisor([ChildSpec("a", Counter)], intensity=Intensity(restarts=1, seconds=10))
    async with running(ChildSpec("family", lambda: sup)) as node:
        for _ in range(5):
            await crash(node, "/family/a")
            await trio.sleep(11)
        assert node.ref("/family/a").alive
        assert node.snapshot().root.children[0].restarts == 0


async def test_the_escalation_of_the_root_ends_the_node(nursery, autojump_clock):
    node = Node("test", seed=1)
    exits = []

    async def live(*, task_status):
        root = lambda: Supervisor([ChildSpec("a", Counter)], intensity=Intensity(0, 1))  # noqa: E731
        exits.append(await node.run(ChildSpec("root", root), task_status=task_status))

    await nursery.start(live)
    await crash(node, "/a")
    await trio.sleep(1)
    assert exits[0].kind == "crashed"
    assert "more than 0 restarts" in exits[0].text


async def test_waits_before_restarts_double(running, autojump_clock):
    starts = []

    class Sick(Counter):
        async def started(self):
            starts.append(trio.current_time())
            if len(starts) > 1:
                raise OSError("still sick")

    backoff = Backoff(first=1.0, cap=4.0, jitter=0.0)
    intensity = Intensity(restarts=5, seconds=1000)
    async with running(ChildSpec("a", Sick), backoff=backoff, intensity=intensity) as node:
        await crash(node, "/a")
        await trio.sleep(100)
    waits = [round(b - a, 3) for a, b in pairwise(starts)]
    assert waits == [1.0, 2.0, 4.0, 4.0, 4.0]


async def test_jitter_comes_from_the_seed_of_the_node(running, autojump_clock):
    async def first_wait(seed):
        starts = []

        class Timed(Counter):
            async def started(self):
                starts.append(trio.current_time())

        async with running(ChildSpec("a", Timed), node=Node("test", seed=seed)) as node:
            await crash(node, "/a")
            await trio.sleep(1)
        return round(starts[1] - starts[0], 6)

    assert await first_wait(1) == await first_wait(1) != await first_wait(2)


async def test_shutdown_is_bounded_for_each_child(running, diary, autojump_clock):
    class Deaf(Counter):
        async def stopped(self):
            await trio.sleep_forever()

    deaf = ChildSpec("deaf", Deaf, shutdown=3.0)
    began = trio.current_time()
    async with running(diary.child("first"), deaf, diary.child("last")):
        pass
    assert diary.take() == "+first +last -last -first"
    assert trio.current_time() - began == pytest.approx(3.0)


class Patient(Counter):
    """Waits for others before it ends, for as long as it is not told to hurry."""

    async def started(self):
        self.hurried = trio.Event()

    def hurry(self):
        self.hurried.set()

    async def stopped(self):
        await self.hurried.wait()


@pytest.mark.parametrize("later", [0.0, 1.0])
async def test_a_second_stop_hurries_those_that_are_being_stopped(running, autojump_clock, later):
    slow = ChildSpec("slow", Patient, shutdown=100.0)
    inner = ChildSpec("inner", lambda: Supervisor([slow]), kind="supervisor", shutdown=200.0)
    async with running(inner, attrs.evolve(slow, id="last")) as node:
        began = trio.current_time()
        node.stop()
        await trio.sleep(later)
        node.stop()
    assert trio.current_time() - began == later


async def test_a_brutal_shutdown_gives_no_time(running, diary, autojump_clock):
    async with running(diary.child("a", shutdown=0)) as node:
        ref = node.ref("/a")
    assert diary.take() == "+a"
    assert not ref.alive


async def test_an_elder_that_fails_while_its_younger_waits_brings_both_back_in_order(
    running, diary, autojump_clock
):
    children = [diary.child("a"), diary.child("b")]
    backoff = Backoff(first=1.0, jitter=0.0)
    async with running(*children, strategy=Strategy.REST_FOR_ONE, backoff=backoff) as node:
        await crash(node, "/b")
        await trio.sleep(0.5)
        await crash(node, "/a")
        await trio.sleep(10)
        assert diary.take() == "+a +b !b !a +a +b"


async def test_a_child_that_dies_right_after_its_start_is_noticed(running, autojump_clock):
    starts = []

    class Brief(Actor):
        async def started(self):
            starts.append(1)
            if len(starts) < 3:
                self.ctx.end()

    async with running(ChildSpec("a", Brief)):
        await trio.sleep(5)
    assert len(starts) == 3
