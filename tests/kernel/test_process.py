"""Actors in child processes: the real process, the real socketpair."""

import os
import signal
from pathlib import Path

import pytest
import trio
from counter import Add, Count, Fail, Nothing, Pid, Read, Sleep, Total

from actorllm.actors.kernel import ActorDied, Backoff, ChildSpec, Node, StartFailed
from actorllm.actors.kernel.launch import ProcessLauncher
from actorllm.actors.kernel.process import Heartbeat, ProcessActor
from actorllm.actors.kernel.supervisor import DynamicSupervisor
from actorllm.protocol.errors import Refused


@pytest.fixture
def child(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    beat = Heartbeat(interval=0.1, timeout=0.5)
    return ChildSpec(
        "child",
        lambda: ProcessActor("counter:Counter", Nothing(), heartbeat=beat, grace=0.3),
        kind="process",
    )


@pytest.fixture
def node():
    return Node("test", launcher=ProcessLauncher(), seed=1)


async def test_a_child_process_answers_like_any_actor(running, child, node):
    async with running(child, node=node):
        ref = node.ref("/child")
        ref.tell(Add(4))
        assert await ref.ask(Read(), timeout=5) == Total(4)
        assert (await ref.ask(Pid(), timeout=5)).n != os.getpid()
        with pytest.raises(Refused, match="no such thing"):
            await ref.ask(Fail("refuse"), timeout=5)
        async with ref.stream(Count(500), window=8) as items:
            assert [i.n async for i in items] == list(range(500))


async def test_leaving_a_stream_cancels_its_producer_in_the_child(running, child, node):
    async with running(child, node=node):
        ref = node.ref("/child")
        async with ref.stream(Count(10**9), window=4) as items:
            await anext(items)
        assert await ref.ask(Read(), timeout=5) == Total(0)
        with trio.fail_after(5):
            while node.snapshot().root.children[0].info.get("child_running") != 0:
                await trio.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_a_killed_child_fails_its_requests_and_comes_back(running, child, node, number):
    async with running(child, node=node, backoff=Backoff(first=0.01)):
        ref = node.ref("/child")
        pid = (await ref.ask(Pid(), timeout=5)).n
        async with ref.stream(Count(10**9)) as items:
            await anext(items)
            os.kill(pid, number)
            with pytest.raises(ActorDied) as died:
                async for _ in items:
                    pass
        assert died.value.exit.signal == number
        assert (await ref.ask(Pid(), timeout=5, again=True)).n != pid


async def test_a_stopped_child_misses_its_heartbeats_and_is_replaced(running, child, node):
    async with running(child, node=node, backoff=Backoff(first=0.01)):
        ref = node.ref("/child")
        pid = (await ref.ask(Pid(), timeout=5)).n
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(ActorDied, match="no heartbeat"):
            await ref.ask(Sleep(60), timeout=60)
        assert (await ref.ask(Pid(), timeout=5, again=True)).n != pid


async def test_the_last_words_of_a_crashed_child_are_kept(running, child, node):
    async with running(child, node=node):
        with pytest.raises(ActorDied) as died:
            await node.ref("/child").ask(Fail("exit"), timeout=5)
        assert died.value.exit.text == "process exited with status 3"
        assert died.value.exit.last_words[-1] == "famous last words"


async def test_an_exception_in_the_child_is_its_end(running, child, node):
    async with running(child, node=node):
        with pytest.raises(ActorDied, match="ValueError: boom"):
            await node.ref("/child").ask(Fail("crash"), timeout=5)


async def test_an_entry_that_does_not_exist_is_a_failed_start(running, node, child):
    class Dynamic(DynamicSupervisor):
        pass

    sup = Dynamic()
    async with running(ChildSpec("dynamic", lambda: sup), node=node):
        bad = ChildSpec("bad", lambda: ProcessActor("counter:Missing", Nothing()))
        with pytest.raises(StartFailed, match="Missing"):
            await sup.start_child(bad)


async def test_no_process_outlives_its_node(running, child, node):
    async with running(child, node=node):
        pid = (await node.ref("/child").ask(Pid(), timeout=5)).n
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
