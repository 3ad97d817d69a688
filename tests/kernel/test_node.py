"""What the actors of a node share: names, monitors, dead letters, traces, the live tree."""

import pytest
import trio
import trio.testing
from counter import Add, Counter, Fail, Read, Total

from actorllm.actors.kernel import (
    Actor,
    ActorDied,
    Backoff,
    ChildSpec,
    Down,
    DynamicSupervisor,
    Node,
    StartFailed,
    concurrent,
    trace_id,
)
from actorllm.actors.kernel.actor import handlers_of
from actorllm.protocol.codec import Ask, Stream, Value, decode, encode, message


@message
class Seen(Value):
    text: str


@message
class WhichTrace(Ask[Seen]):
    pass


class Watcher(Actor):
    """Keeps the ends of those that it monitors."""

    def __init__(self):
        self.downs = []

    async def down(self, m: Down) -> None:
        self.downs.append(m)


async def crash(node, path):
    with pytest.raises(ActorDied):
        await node.ref(path).ask(Fail("crash"), timeout=1)


async def test_a_dead_target_answers_at_once(running, autojump_clock):
    async with running() as node:
        began = trio.current_time()
        with pytest.raises(ActorDied, match="nobody lives there"):
            await node.ref("/nobody").ask(Read(), timeout=60)
        assert trio.current_time() == began


async def test_a_target_that_dies_answers_all_who_wait_at_once(running, autojump_clock):
    ends = []

    class Slow(Counter):
        async def add(self, m: Add) -> None:
            await trio.sleep(1)
            raise ValueError("boom")

    async with running(ChildSpec("slow", Slow)) as node:
        ref = node.ref("/slow")

        async def ask():
            with pytest.raises(ActorDied, match="boom"):
                await ref.ask(Read(), timeout=60)
            ends.append(trio.current_time())

        began = trio.current_time()
        ref.tell(Add(1))
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask)
        assert [end - began for end in ends] == [1.0, 1.0, 1.0]
        assert node.dead_letters.count == 0


async def test_a_tell_to_nobody_is_a_dead_letter(running):
    async with running() as node:
        node.ref("/nobody").tell(Add(1))
        snapshot = node.snapshot()
    assert snapshot.counters.dead_letters == 1
    letter = snapshot.dead_letters[0]
    assert (letter.path, letter.tag) == ("/nobody", "Add")


async def test_tells_that_wait_when_their_target_dies_are_dead_letters(running, autojump_clock):
    class Slow(Counter):
        async def add(self, m: Add) -> None:
            await trio.sleep(1)
            raise ValueError("boom")

    async with running(ChildSpec("slow", Slow)) as node:
        for _ in range(3):
            node.ref("/slow").tell(Add(1))
        await trio.sleep(2)
        assert node.counters().dead_letters == 2


async def test_names_survive_restarts_and_incarnations_do_not(running, autojump_clock):
    sup = DynamicSupervisor()
    async with running(ChildSpec("sup", lambda: sup)) as node:
        first = await sup.start_child(ChildSpec("c", Counter))
        assert (first.path, first.incarnation) == ("/sup/c", 1)
        await crash(node, "/sup/c")
        await trio.sleep(1)
        assert await node.ref("/sup/c").ask(Read(), timeout=1) == Total(0)
        assert not first.alive
        with pytest.raises(ActorDied):
            await first.ask(Read(), timeout=1)
        assert sup.ref_of("c").incarnation == 2


async def test_a_monitor_sends_one_down_and_sends_it_at_once_for_the_dead(running, autojump_clock):
    watcher = Watcher()
    specs = ChildSpec("watcher", lambda: watcher), ChildSpec("c", Counter)
    async with running(*specs) as node:
        ref = node.ref("/c")
        watcher.ctx.monitor(ref)
        await crash(node, "/c")
        await trio.sleep(1)
        await crash(node, "/c")  # the next incarnation was not asked for
        await trio.sleep(1)
        assert [(d.who.path, d.who.incarnation, d.exit.kind) for d in watcher.downs] == [
            ("/c", 1, "crashed")
        ]
        watcher.ctx.monitor(node.ref("/nobody"))
        await trio.testing.wait_all_tasks_blocked()
        assert watcher.downs[1].exit.kind == "unborn"
        assert len(watcher.downs) == 2


async def test_a_down_overtakes_messages_that_wait(running, autojump_clock):
    order = []

    class Busy(Counter):
        async def add(self, m: Add) -> None:
            await trio.sleep(1)
            order.append("add")

        async def down(self, m: Down) -> None:
            order.append("down")

    async with running(ChildSpec("busy", Busy), ChildSpec("c", Counter)) as node:
        node.find("/busy").actor.ctx.monitor(node.ref("/c"))
        for _ in range(3):
            node.ref("/busy").tell(Add(1))
        await trio.testing.wait_all_tasks_blocked()
        await crash(node, "/c")
        await trio.sleep(5)
    assert order == ["add", "down", "add", "add"]


async def test_a_trace_follows_from_message_to_message(running):
    class Last(Actor):
        @concurrent
        async def trace(self, m: WhichTrace) -> Seen:
            return Seen(trace_id.get())

    class First(Actor):
        async def trace(self, m: WhichTrace) -> Seen:
            return await self.ctx.ref("/last").ask(m, timeout=1)

    async with running(ChildSpec("last", Last), ChildSpec("first", First)) as node:
        ref = node.ref("/first")
        fresh = (await ref.ask(WhichTrace(), timeout=1)).text
        assert len(fresh) == 16
        assert (await ref.ask(WhichTrace(), timeout=1)).text != fresh
        token = trace_id.set("mine")
        try:
            assert await ref.ask(WhichTrace(), timeout=1) == Seen("mine")
        finally:
            trace_id.reset(token)


async def test_the_snapshot_shows_the_live_tree(running, autojump_clock):
    class Busy(Counter):
        async def add(self, m: Add) -> None:
            await trio.sleep(2)

        def info(self):
            return {"total": self.total}

    backoff = Backoff(first=10.0, jitter=0.0)
    async with running(ChildSpec("busy", Busy), ChildSpec("c", Counter), backoff=backoff) as node:
        for n in range(3):
            node.ref("/busy").tell(Add(n))
        await crash(node, "/c")
        await trio.sleep(3)
        snapshot = node.snapshot()
        assert decode(encode(snapshot)) == snapshot
        busy, c = snapshot.root.children
        assert (busy.path, busy.state, busy.queue, busy.handled) == ("/busy", "running", 1, 2)
        assert (busy.oldest_age, busy.busy, busy.info) == (3.0, 2.0, {"total": 0})
        assert busy.queue_bytes > 0
        assert (c.path, c.state, c.incarnation) == ("/c", "restarting", 1)
        assert c.last_exit == "crashed: ValueError: boom"
        assert snapshot.counters.crashes == 1
        assert snapshot.uptime == 3.0


async def test_a_root_that_does_not_start_is_told():
    class Broken(Actor):
        async def started(self):
            raise OSError("no disk")

    with pytest.raises(StartFailed, match="no disk"):
        await Node("test").run(ChildSpec("root", Broken))


def test_handlers_that_do_not_fit_their_message_are_refused():
    @message
    class Watch(Stream[Seen]):
        pass

    class NoStream(Actor):
        async def watch(self, m: Watch) -> Seen:
            return Seen("")

    class Twice(Actor):
        async def one(self, m: WhichTrace) -> Seen:
            return Seen("")

        async def two(self, m: WhichTrace) -> Seen:
            return Seen("")

    with pytest.raises(TypeError, match="must be an async generator"):
        handlers_of(NoStream)
    with pytest.raises(TypeError, match="two handlers take WhichTrace"):
        handlers_of(Twice)


async def test_a_handler_that_gives_no_reply_is_a_crash(running, autojump_clock):
    class Forgetful(Actor):
        async def trace(self, m: WhichTrace) -> Seen:
            return None

    async with running(ChildSpec("x", Forgetful)) as node:
        with pytest.raises(ActorDied, match="returned no reply"):
            await node.ref("/x").ask(WhichTrace(), timeout=1)


async def test_a_task_of_an_actor_ends_with_it_and_its_crash_is_the_actors(running, autojump_clock):
    class Worker(Counter):
        async def started(self):
            self.ctx.run(self.work)

        async def work(self):
            await trio.sleep(1)
            raise LookupError("lost my tools")

    async with running(ChildSpec("w", Worker), backoff=Backoff(first=1, jitter=0)) as node:
        await trio.sleep(1.5)
        assert node.snapshot().root.children[0].last_exit == "crashed: LookupError: lost my tools"


async def test_a_reply_that_cannot_be_said_is_a_crash(running, autojump_clock):
    class Wild(Actor):
        async def trace(self, m: WhichTrace) -> Seen:
            return Seen(object())

    async with running(ChildSpec("x", Wild)) as node:
        with pytest.raises(ActorDied, match="cannot encode"):
            await node.ref("/x").ask(WhichTrace(), timeout=1)


async def test_monitors_are_forgotten_with_either_end(running, autojump_clock):
    specs = ChildSpec("watcher", Watcher), ChildSpec("c", Counter), ChildSpec("d", Counter)
    async with running(*specs) as node:
        watcher, c, d = (node.find(path) for path in ("/watcher", "/c", "/d"))
        before = [len(cell._watchers) for cell in (watcher, c, d)]
        for path in ("/c", "/d"):
            watcher.actor.ctx.monitor(node.ref(path))
        await crash(node, "/c")
        assert len(watcher._watchers) == before[0] + 1
        watcher.scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert len(d._watchers) == before[2]


async def test_a_cleanup_that_fails_keeps_nobody_waiting(running, autojump_clock):
    class Clumsy(Counter):
        def ended(self, exit_):
            raise OSError("dropped it")

    async with running(ChildSpec("x", Clumsy)) as node:
        await crash(node, "/x")
        assert await node.ref("/x").ask(Read(), timeout=5, again=True) == Total(0)
