"""Pouring: the items of a stream go on in the turn in which they come."""

import pytest
import trio
import trio.testing
from tricky import Producer, Tricky

from actorllm.actors.kernel import ActorDied, ChildSpec
from actorllm.actors.kernel.ports import Failure, Pipe
from actorllm.protocol.errors import Problem, Refused


class Outlet:
    """Takes as many frames as it has credit for; then it has to be emptied."""

    def __init__(self, credit: int = 1_000_000) -> None:
        self.credit = credit
        self.frames: list[bytes] = []
        self.waited_for = False
        self._emptied = trio.Event()

    def push(self, frame):
        assert self.credit > 0
        self.credit -= 1
        self.frames.append(frame)

    def empty(self):
        self.credit += 1
        self._emptied.set()

    async def wait_credit(self):
        while not self.credit:
            self.waited_for = True
            self._emptied = trio.Event()
            await self._emptied.wait()


def turned(frame: bytes) -> bytes:
    if frame == b"bad":
        raise ValueError("bad")
    return frame.upper()


@pytest.fixture
def pipe():
    return Pipe(4)


async def pouring(pipe, outlet, nursery):
    """Begin to pour; give what tells how it ended."""
    ends: list[Exception | None] = []

    async def pour():
        try:
            await pipe.pour(outlet, turned)
        except Exception as e:  # noqa: BLE001 -- looked at by the test
            ends.append(e)
        else:
            ends.append(None)

    nursery.start_soon(pour)
    await trio.testing.wait_all_tasks_blocked()
    return ends


async def test_what_was_there_comes_first_and_the_rest_at_once(pipe, nursery):
    outlet = Outlet()
    pipe.push(b"a")
    ends = await pouring(pipe, outlet, nursery)
    pipe.push(b"b")
    assert outlet.frames == [b"A", b"B"]
    pipe.close()
    assert not ends
    await trio.testing.wait_all_tasks_blocked()
    assert ends == [None]


async def test_without_credit_items_wait_in_order_and_hold_the_producer_up(pipe, nursery):
    outlet = Outlet(credit=1)
    ends = await pouring(pipe, outlet, nursery)
    for letter in (b"a", b"b", b"c"):
        pipe.push(letter)
    await trio.testing.wait_all_tasks_blocked()
    assert outlet.frames == [b"A"]
    assert pipe.credit == 1
    outlet.empty()
    pipe.push(b"d")
    assert outlet.frames == [b"A"]
    for _ in range(3):
        await trio.testing.wait_all_tasks_blocked()
        outlet.empty()
    await trio.testing.wait_all_tasks_blocked()
    assert outlet.frames == [b"A", b"B", b"C", b"D"]
    assert pipe.credit > 0
    pipe.close()
    await trio.testing.wait_all_tasks_blocked()
    assert ends == [None]


async def test_an_outlet_that_is_full_is_waited_for_though_nothing_else_comes(pipe, nursery):
    """What a socket did not take must go out before the next item comes, which may be never."""
    outlet = Outlet(credit=1)
    await pouring(pipe, outlet, nursery)
    assert not outlet.waited_for
    pipe.push(b"a")
    await trio.testing.wait_all_tasks_blocked()
    assert outlet.waited_for


@pytest.mark.parametrize("waits", [False, True])
async def test_a_turn_that_fails_is_told_to_whoever_pours(pipe, nursery, waits):
    if waits:
        pipe.push(b"bad")
        ends = await pouring(pipe, Outlet(), nursery)
    else:
        ends = await pouring(pipe, Outlet(), nursery)
        pipe.push(b"bad")
        pipe.push(b"behind")
        await trio.testing.wait_all_tasks_blocked()
    assert [type(e) for e in ends] == [ValueError]


async def test_a_broken_stream_is_told_behind_its_items(pipe, nursery):
    outlet = Outlet()
    ends = await pouring(pipe, outlet, nursery)
    pipe.push(b"a")
    pipe.close(Failure("refused", problem=Problem(507, "no room")))
    await trio.testing.wait_all_tasks_blocked()
    assert [type(e) for e in ends] == [Refused]
    assert outlet.frames == [b"A"]


async def test_items_wait_again_where_the_pouring_was_cancelled(pipe):
    outlet = Outlet()
    with trio.CancelScope() as scope:
        scope.cancel()
        await pipe.pour(outlet, turned)
    pipe.push(b"a")
    assert not outlet.frames
    assert await pipe.next() == b"a"


async def test_items_are_poured_decoded(running, autojump_clock):
    outlet = Outlet()
    async with (
        running(ChildSpec("producer", Producer)) as node,
        node.ref("/producer").stream(Tricky(3, "crash")) as items,
    ):
        with pytest.raises(ActorDied):
            await items.pour(outlet, lambda item: b"%d" % item.n)
    assert outlet.frames == [b"0", b"1", b"2"]


async def test_a_producer_that_never_waits_starves_nobody(running):
    turns = 0

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with (
        running(ChildSpec("producer", Producer)) as node,
        trio.open_nursery() as nursery,
        node.ref("/producer").stream(Tricky(1000, "end"), window=10) as items,
    ):
        nursery.start_soon(other)
        await items.pour(Outlet(), lambda item: b"%d" % item.n)
        nursery.cancel_scope.cancel()
    assert turns >= 100
