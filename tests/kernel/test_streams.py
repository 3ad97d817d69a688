"""Streams: credit, the end exactly once, cancellation in both directions."""

import pytest
import trio
import trio.testing
from counter import Count, Counter, Fail
from tricky import Producer, Tricky, consume

from actorllm.actors.kernel import (
    ActorDied,
    AskTimeout,
    BadMessage,
    ChildSpec,
)
from actorllm.actors.kernel.ports import Failure, Pipe, Promise, failure_of
from actorllm.actors.kernel.testkit import actor_kit
from actorllm.protocol.errors import Problem, Refused


@pytest.mark.parametrize("items", [0, 1, 3, 4, 5, 100])
@pytest.mark.parametrize(
    ("then", "error"), [("end", None), ("refuse", Refused), ("crash", ActorDied)]
)
@pytest.mark.parametrize("window", [1, 4])
async def test_all_items_come_before_the_end_and_the_end_comes_once(
    running, autojump_clock, items, then, error, window
):
    async with running(ChildSpec("p", Producer)) as node:
        seen = await consume(node.ref("/p"), Tricky(items, then), window=window)
        assert seen == (list(range(items)), error)


async def test_after_its_end_a_stream_stays_ended(running):
    async with (
        running(ChildSpec("p", Producer)) as node,
        node.ref("/p").stream(Tricky(1, "end")) as items,
    ):
        assert (await anext(items)).n == 0
        for _ in range(2):
            with pytest.raises(StopAsyncIteration):
                await anext(items)


async def test_an_actor_that_dies_fails_all_its_streams(running, autojump_clock):
    async with running(ChildSpec("c", Counter)) as node:
        ref = node.ref("/c")
        async with ref.stream(Count(10**6)) as one, ref.stream(Count(10**6)) as other:
            await anext(one)
            with pytest.raises(ActorDied):
                await ref.ask(Fail("crash"), timeout=1)
            for items in (one, other):
                with pytest.raises(ActorDied, match="boom"):
                    async for _ in items:
                        pass


@pytest.mark.parametrize("taken", [0, 1, 2, 7])
async def test_leaving_ends_the_producer_wherever_it_is(running, autojump_clock, taken):
    producer = Producer()
    async with running(ChildSpec("p", lambda: producer)) as node:
        async with node.ref("/p").stream(Tricky(10**9, "wait"), window=2) as items:
            for _ in range(taken):
                await anext(items)
        await trio.testing.wait_all_tasks_blocked()
        assert producer.closed == (1 if taken else 0)
        assert node.find("/p").running == 0


async def test_leaving_a_silent_producer_cancels_it(running, autojump_clock):
    producer = Producer()
    async with running(ChildSpec("p", lambda: producer)) as node:
        with trio.move_on_after(1):
            async with node.ref("/p").stream(Tricky(0, "wait")) as items:
                await anext(items)
        await trio.testing.wait_all_tasks_blocked()
        assert producer.closed == 1


async def test_a_stream_from_nobody_fails_at_its_first_item(running):
    async with running() as node, node.ref("/nobody").stream(Tricky(0, "end")) as items:
        with pytest.raises(ActorDied, match="nobody lives there"):
            await anext(items)


async def test_a_stream_that_is_not_taken_up_in_time_is_told(autojump_clock):
    async with actor_kit(Producer) as kit:
        kit.inject("handle", "hang", message="Tricky")
        async with kit.ref.stream(Tricky(1, "end"), open_timeout=2) as items:
            with pytest.raises(AskTimeout, match="took no stream up in 2 s"):
                await anext(items)


async def test_items_that_are_there_are_taken_at_once(running):
    async with (
        running(ChildSpec("c", Counter)) as node,
        node.ref("/c").stream(Count(100), window=8) as items,
    ):
        assert (await anext(items)).n == 0
        await trio.testing.wait_all_tasks_blocked()
        assert [item.n for item in items.take_ready()] == list(range(1, 8))
        assert items.take_ready() == []
        assert (await anext(items)).n == 8


# The ports alone


def test_a_promise_takes_its_first_settlement_only():
    promise = Promise()
    assert promise.resolve(b"1")
    assert not promise.resolve(b"2")
    assert not promise.fail(Failure("timeout"))
    assert promise.frame == b"1"
    assert promise.failure is None


def test_an_abandoned_promise_takes_nothing():
    promise = Promise()
    promise.abandon()
    assert not promise.resolve(b"1")
    assert promise.abandoned


async def test_a_pipe_closes_once_and_keeps_what_came_before():
    pipe = Pipe(4)
    pipe.push(b"1")
    assert pipe.close()
    assert not pipe.close(Failure("timeout"))
    pipe.push(b"2")
    assert await pipe.next() == b"1"
    assert await pipe.next() is None


def test_a_pipe_that_was_left_takes_nothing_and_tells_once():
    calls = []
    pipe = Pipe(4)
    pipe.on_leave = lambda: calls.append("leave")
    pipe.on_close = lambda _: calls.append("close")
    pipe.leave()
    pipe.leave()
    pipe.push(b"1")
    assert not pipe.close()
    assert not pipe.items
    assert calls == ["leave"]


def test_credit_is_granted_again_when_half_the_window_is_consumed():
    grants = []
    pipe = Pipe(4)
    pipe.on_grant = grants.append
    for n in range(4):
        pipe.push(bytes([n]))
    assert pipe.credit == 0
    for _ in range(4):
        pipe.take()
    assert grants == [2, 2]


def test_failures_travel_as_messages_and_become_the_same_errors_again():
    for error in (Refused(Problem(404, "no")), AskTimeout("late"), BadMessage("what")):
        again = failure_of(error).error()
        assert type(again) is type(error)
        assert str(again) == str(error)
