"""Actors in child processes: the real process, the real socketpair."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import stubborn
import trio
from counter import Add, Count, Fail, Nothing, Pid, Read, Sleep, Total

from actorllm.actors.kernel import (
    ActorDied,
    Backoff,
    ChildSpec,
    MailboxFull,
    Node,
    StartFailed,
    trace_id,
)
from actorllm.actors.kernel.launch import ProcessLauncher, child_environment
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


def is_gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def wait_until_gone(*pids, seconds=10):
    with trio.fail_after(seconds):
        while not all(map(is_gone, pids)):
            await trio.sleep(0.02)


@pytest.fixture
def stubborn_child(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    return stubborn.spec()


async def test_a_child_that_ignores_stop_and_terminate_is_killed_with_its_group(
    running, stubborn_child, node
):
    async with running(stubborn_child, node=node):
        pids = await node.ref("/child").ask(stubborn.Spawn(), timeout=10)
        began = trio.current_time()
    assert 0.4 <= trio.current_time() - began < 3
    await wait_until_gone(pids.own, pids.child)


async def test_the_group_of_a_killed_child_goes_with_it(running, stubborn_child, node):
    async with running(stubborn_child, node=node, backoff=Backoff(first=60)):
        pids = await node.ref("/child").ask(stubborn.Spawn(), timeout=10)
        os.kill(pids.own, signal.SIGKILL)
        await wait_until_gone(pids.own, pids.child)


def start_parent(*, spin):
    code = f"import stubborn, trio; trio.run(lambda: stubborn.parent(spin={spin}))"
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)


@pytest.mark.parametrize("spin", [False, True])
async def test_when_the_parent_is_killed_its_children_end_with_their_groups(spin):
    with start_parent(spin=spin) as parent:
        own, child = map(int, (await trio.to_thread.run_sync(parent.stdout.readline)).split())
        assert not is_gone(own)
        parent.kill()
        await wait_until_gone(own, child, seconds=20)


async def test_a_trace_crosses_the_border_of_processes(running, stubborn_child, node):
    async with running(stubborn_child, node=node):
        token = trace_id.set("feed")
        try:
            answer = await node.ref("/child").ask(stubborn.WhichTrace(), timeout=10)
        finally:
            trace_id.reset(token)
        assert answer == stubborn.Trace("feed")


async def test_a_child_of_another_version_does_not_start(running, child, node, monkeypatch):
    monkeypatch.setattr("actorllm.actors.kernel.process.package_version", lambda: "0.0.1")
    sup = DynamicSupervisor()
    async with running(ChildSpec("dynamic", lambda: sup), node=node):
        with pytest.raises(StartFailed, match=r"the daemon is actorllm 0\.0\.1, this is"):
            await sup.start_child(child)


async def test_the_bounds_of_the_mailbox_hold_across_processes(running, child, node):
    async with running(child, node=node):
        ref = node.ref("/child")
        await ref.ask(Read(), timeout=5)
        for _ in range(child.max_messages):
            ref.tell(Add(1))
        with pytest.raises(MailboxFull):
            ref.tell(Add(1))
        with trio.fail_after(5):
            while len(node.find("/child").mailbox) > 0:
                await trio.sleep(0.01)
        assert await ref.ask(Read(), timeout=5) == Total(child.max_messages)


async def test_the_snapshot_tells_of_the_child(running, child, node):
    async with running(child, node=node):
        await node.ref("/child").ask(Read(), timeout=5)
        with trio.fail_after(5):
            while "child_handled" not in (facts := node.snapshot().root.children[0].info):
                await trio.sleep(0.02)
        assert facts["pid"] > 0
        assert node.snapshot().root.children[0].kind == "process"


def test_a_child_gets_no_secrets_from_the_environment():
    environ = {"PATH": "/bin", "OLLAMA_HOST": "x", "OLLAMA_API_KEY": "s", "AWS_REGION": "y"}
    assert child_environment(environ) == {"PATH": "/bin", "OLLAMA_HOST": "x"}
