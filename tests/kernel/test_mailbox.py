"""Mailboxes: bounded in messages and bytes, the control lane first."""

import pytest
import trio
import trio.testing
from counter import Add, Count, Counter, Read, Sleep, Total

from actorllm.actors.kernel import AskTimeout, ChildSpec, MailboxFull
from actorllm.actors.kernel.mailbox import Envelope, Kind, Mailbox, Stop


def envelope(size=10, id_=1):
    return Envelope(id_, Kind.TELL, "M", b"x" * size, float("inf"), "", None, sent_at=0.0)


async def test_messages_come_out_in_the_order_they_were_put_in():
    box = Mailbox(10, 1000)
    for n in range(5):
        box.put(envelope(id_=n))
    assert [(await box.get()).id for _ in range(5)] == list(range(5))


def test_a_mailbox_is_bounded_in_messages():
    box = Mailbox(2, 1000)
    box.put(envelope())
    box.put(envelope())
    with pytest.raises(MailboxFull, match="2 messages wait"):
        box.put(envelope())


async def test_a_mailbox_is_bounded_in_bytes_and_has_room_again_when_read():
    box = Mailbox(10, 100)
    box.put(envelope(80))
    with pytest.raises(MailboxFull, match="80 bytes wait"):
        box.put(envelope(21))
    box.put(envelope(20))
    assert box.bytes == 100
    await box.get()
    box.put(envelope(80))


def test_a_message_larger_than_the_bound_passes_an_empty_mailbox():
    box = Mailbox(10, 100)
    box.put(envelope(500))
    with pytest.raises(MailboxFull):
        box.put(envelope(1))


async def test_the_control_lane_is_read_first_and_is_never_full():
    box = Mailbox(1, 10)
    box.put(envelope())
    stop = Stop()
    box.put_control(stop)
    assert await box.get() is stop
    assert (await box.get()).tag == "M"


async def test_the_age_of_the_oldest_message_is_known():
    box = Mailbox(10, 100)
    assert box.oldest_age(7.0) == 0.0
    box.put(envelope())
    assert box.oldest_age(7.0) == 7.0


async def test_a_full_mailbox_is_told_to_the_sender_at_once(running, autojump_clock):
    class Slow(Counter):
        async def add(self, m: Add) -> None:
            await trio.sleep(1)
            await super().add(m)

    async with running(ChildSpec("slow", Slow, max_messages=2)) as node:
        ref = node.ref("/slow")
        ref.tell(Add(1))
        await trio.testing.wait_all_tasks_blocked()
        ref.tell(Add(1))
        ref.tell(Add(1))
        began = trio.current_time()
        with pytest.raises(MailboxFull):
            ref.tell(Add(1))
        with pytest.raises(MailboxFull):
            await ref.ask(Read(), timeout=9)
        with pytest.raises(MailboxFull):
            async with ref.stream(Count(3)):
                pass
        assert trio.current_time() == began
        assert node.counters().rejected == 3
        await trio.sleep(2.5)
        assert await ref.ask(Read(), timeout=9) == Total(3)


async def test_room_for_concurrent_handlers_is_bounded_too(running, autojump_clock):
    async with running(ChildSpec("counter", Counter, max_running=2)) as node:
        ref = node.ref("/counter")
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(lambda: ref.ask(Sleep(1), timeout=2))
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(MailboxFull, match="runs 2 requests already"):
                await ref.ask(Sleep(1), timeout=2)
        assert await ref.ask(Sleep(1), timeout=2) == Total(1)


async def test_a_question_whose_time_is_over_is_not_handled(running, autojump_clock):
    class Slow(Counter):
        async def add(self, m: Add) -> None:
            await trio.sleep(5)

    async with running(ChildSpec("slow", Slow)) as node:
        ref = node.ref("/slow")
        ref.tell(Add(1))
        with pytest.raises(AskTimeout):
            await ref.ask(Read(), timeout=1)
        await trio.sleep(10)
        assert node.counters().expired == 1
        assert node.counters().handled == 1


async def test_a_question_whose_asker_has_gone_is_not_handled(running, autojump_clock):
    class Slow(Counter):
        async def add(self, m: Add) -> None:
            await trio.sleep(5)

    async with running(ChildSpec("slow", Slow)) as node:
        node.ref("/slow").tell(Add(1))
        with trio.move_on_after(1):
            await node.ref("/slow").ask(Read(), timeout=60)
        await trio.sleep(10)
        assert node.counters().handled == 1
