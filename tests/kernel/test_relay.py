"""Relays: a stream's items go through an actor that does not run for them."""

from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing
from counter import Total
from tricky import Producer, Tricky, consume

from actorllm.actors.kernel import Actor, ActorDied, ChildSpec, KernelError, Relay
from actorllm.protocol.codec import Stream, encode, message
from actorllm.protocol.errors import Refused


@message
class Doubled(Stream[Total]):
    items: int
    then: str = "end"
    first: int = 0
    """Items that are handed on by hand."""
    window: int = 4
    checks: bool = True


class Middle(Actor):
    turns = 0

    async def doubled(self, m: Doubled) -> AsyncIterator[Total | Relay[Total]]:
        async with self.ctx.ref("/producer").stream(Tricky(m.items, m.then), window=m.window) as s:
            for _ in range(m.first):
                yield self._double(await anext(s))
            relay = Relay(s, self._double)
            yield relay
            if m.checks:
                try:
                    relay.check()
                except KernelError:
                    yield Total(-1)
                    raise
        yield Total(-2)

    def _double(self, total):
        Middle.turns += 1
        if total.n == 13:
            raise ValueError("unlucky")
        return Total(2 * total.n)


@pytest.fixture
def producer():
    return Producer()


@pytest.fixture
async def node(running, producer):
    Middle.turns = 0
    async with running(
        ChildSpec("producer", lambda: producer), ChildSpec("middle", Middle)
    ) as node:
        yield node


async def seen(node, request, window=4):
    return await consume(node.ref("/middle"), request, window=window)


@pytest.mark.parametrize("items", [0, 1, 5, 12])
@pytest.mark.parametrize("windows", [(1, 1), (1, 8), (8, 1), (4, 4)])
async def test_all_items_come_in_order_whatever_the_windows(node, autojump_clock, items, windows):
    inner, outer = windows
    found = await seen(node, Doubled(items, window=inner), outer)
    assert found == ([2 * n for n in range(items)] + [-2], None)


async def test_items_by_hand_come_before_those_of_the_relay(node, autojump_clock):
    found = await seen(node, Doubled(9, first=3))
    assert found == ([*range(0, 18, 2), -2], None)


@pytest.mark.parametrize(("then", "error"), [("refuse", Refused), ("crash", ActorDied)])
async def test_what_breaks_the_stream_is_raised_where_it_is_asked_for(
    node, autojump_clock, then, error
):
    crashed = [-1] if then == "crash" else []
    assert await seen(node, Doubled(3, then)) == ([0, 2, 4, *crashed], error)


@pytest.mark.parametrize(("then", "error"), [("refuse", Refused), ("crash", ActorDied)])
async def test_a_broken_stream_is_not_taken_for_a_whole_one_if_nobody_asks(
    node, autojump_clock, then, error
):
    found = await seen(node, Doubled(3, then, checks=False))
    assert found == ([0, 2, 4], error)


async def test_a_turn_that_fails_ends_the_handler_and_not_the_producer(
    node, autojump_clock, producer
):
    incarnation = node.find("/producer").incarnation
    found = await seen(node, Doubled(20))
    assert found == ([2 * n for n in range(13)], ActorDied)
    await trio.testing.wait_all_tasks_blocked()
    assert node.find("/producer").incarnation == incarnation
    assert producer.closed == 1


async def test_a_slow_reader_holds_the_producer_up(node, autojump_clock, producer):
    async with node.ref("/middle").stream(Doubled(12, window=3), window=2) as items:
        await anext(items)
        await trio.testing.wait_all_tasks_blocked()
        assert producer.made <= 1 + 3 + 2 + 2  # both windows, and what is granted by halves
        assert [item.n async for item in items] == [*range(2, 24, 2), -2]


async def test_a_reader_that_leaves_cancels_the_producer(node, autojump_clock, producer):
    async with node.ref("/middle").stream(Doubled(5, "wait")) as items:
        assert [(await anext(items)).n for _ in range(5)] == [0, 2, 4, 6, 8]
        assert not producer.closed
    await trio.testing.wait_all_tasks_blocked()
    assert producer.closed == 1


async def test_items_pass_in_the_turn_in_which_they_come(node, autojump_clock):
    """The actor between does not wake: what it would have to do for an item is done already."""
    async with node.ref("/middle").stream(Doubled(1, "wait")) as items:
        assert (await anext(items)).n == 0
        pipe = items.pipe
        turns = Middle.turns
        (port,) = node.find("/producer")._open
        port.push(encode(Total(4)))
        assert Middle.turns == turns + 1
        assert len(pipe.items) == 1
