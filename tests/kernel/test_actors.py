"""Actors in one process: tell, ask, stream, supervision."""

import pytest
import trio
import trio.testing
from counter import Add, Count, Counter, Fail, Read, Sleep, Total

from actorllm.actors.kernel import ActorDied, AskTimeout, Backoff, BadMessage, ChildSpec
from actorllm.protocol.codec import Ask, message
from actorllm.protocol.errors import Refused


async def test_a_tell_is_taken_before_the_ask_that_follows_it(running):
    async with running(ChildSpec("counter", Counter)) as node:
        ref = node.ref("/counter")
        ref.tell(Add(2))
        ref.tell(Add(3))
        assert await ref.ask(Read(), timeout=1) == Total(5)


async def test_a_refusal_is_an_answer_and_the_actor_lives_on(running):
    async with running(ChildSpec("counter", Counter)) as node:
        ref = node.ref("/counter")
        ref.tell(Add(2))
        with pytest.raises(Refused, match="no such thing"):
            await ref.ask(Fail("refuse"), timeout=1)
        assert await ref.ask(Read(), timeout=1) == Total(2)


async def test_a_crash_answers_the_asker_and_the_actor_is_restarted_under_its_name(
    running, autojump_clock
):
    async with running(ChildSpec("counter", Counter), backoff=Backoff(first=1)) as node:
        ref = node.ref("/counter")
        ref.tell(Add(2))
        with pytest.raises(ActorDied, match="boom"):
            await ref.ask(Fail("crash"), timeout=1)
        with pytest.raises(ActorDied):
            await ref.ask(Read(), timeout=1)
        assert await ref.ask(Read(), timeout=5, again=True) == Total(0)
        assert node.snapshot().root.children[0].restarts == 1


async def test_a_stream_is_produced_under_the_consumers_credit(running):
    counters = []

    def make():
        counters.append(Counter())
        return counters[-1]

    async with running(ChildSpec("counter", make)) as node:
        async with node.ref("/counter").stream(Count(1000), window=4) as items:
            assert (await anext(items)).n == 0
            await trio.testing.wait_all_tasks_blocked()
            assert counters[0].produced <= 5
        await trio.testing.wait_all_tasks_blocked()
        assert counters[0].ended_streams == 1
        async with node.ref("/counter").stream(Count(10), window=4) as items:
            assert [i.n async for i in items] == list(range(10))


async def test_an_ask_ends_at_its_deadline(running, autojump_clock):
    async with running(ChildSpec("counter", Counter)) as node:
        with pytest.raises(AskTimeout):
            await node.ref("/counter").ask(Sleep(10), timeout=1)


async def test_a_message_without_a_handler_is_a_bad_message(running):
    @message
    class Unknown(Ask[Total]):
        pass

    async with running(ChildSpec("counter", Counter)) as node:
        with pytest.raises(BadMessage):
            await node.ref("/counter").ask(Unknown(), timeout=1)
