import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
import trio

from actorllm.actors.builder.actor import BuilderActor
from actorllm.actors.kernel import ChildSpec
from actorllm.actors.kernel.testkit import actor_kit
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.building import Create
from actorllm.protocol.names import digest_of

KILLED = """
import sys
from pathlib import Path
from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.builder.carry_out import Creation
from actorllm.actors.library.catalog import Catalog
from actorllm.protocol.messages.building import Create
wanted = Create("x", files={"a.gguf": sys.argv[2]}, quantize="Q4_K_M")
for step in Creation(Catalog(BlobStore(Path(sys.argv[1]))), lambda text: None, wanted).steps():
    print(step.status, flush=True)
    if step.total:
        sys.stdin.read()
"""


@pytest.fixture
async def kit(catalog):
    async with actor_kit(ChildSpec("builder", lambda: BuilderActor(catalog))) as kit:
        yield kit


async def create(kit, wanted):
    """Return everything that was reported, and the refusal."""
    said = []
    try:
        async with kit.ref.stream(wanted) as items:
            async for item in items:
                said.append(item.status)  # noqa: PERF401 -- what came before a refusal counts
    except Refused as e:
        return said, e.problem
    return said, None


async def until(condition):
    with trio.fail_after(20):
        while not condition():
            await trio.sleep(0.01)


def converting():
    """The processes below us that convert weights."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "actorllm.actors.builder.quantize" in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


async def test_a_creation_is_reported_step_by_step(kit, model):
    said, problem = await create(kit, Create("x", source="seedling", system="S"))
    assert problem is None
    assert said[1:] == [f"creating new layer {digest_of(b'S')}", "writing manifest", "success"]
    assert model("x") is not None
    assert kit.dead_letters == ()


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (Create("a b", source="seedling"), "invalid model name"),
        (Create("x"), "neither 'from' or 'files' was specified"),
        (Create("x", files={"../a": "1"}), "file path must be relative"),
    ],
)
async def test_an_invalid_request_is_refused_before_the_stream(kit, wanted, text):
    said, problem = await create(kit, wanted)
    assert (said, problem.status, problem.text) == ([], 400, text)
    assert kit.restarts == 0


async def test_a_refusal_in_the_middle_comes_after_what_was_said(kit, store, seedling):
    cut = store.put(store.path(seedling).read_bytes()[:3000]).digest
    said, problem = await create(kit, Create("x", files={"a.gguf": cut}))
    assert (said, problem.status) == (["parsing GGUF"], 400)


async def test_leaving_the_stream_ends_the_conversion_and_leaves_nothing(
    kit, f16, model, leftovers
):
    wanted = Create("x", files={"a.gguf": f16}, quantize="Q4_K_M")
    async with kit.ref.stream(wanted, window=1) as items:
        async for item in items:
            if item.total:
                break
    await until(lambda: kit.actor.info()["open"] == 0)
    assert converting() == []
    assert model("x") is None
    assert leftovers(f16) == []
    assert (await create(kit, Create("x", source="seedling")))[1] is None


async def test_two_creations_of_one_name_come_one_after_the_other(kit, model, leftovers):
    said = []

    async def run(system):
        said.append((await create(kit, Create("x", source="seedling", system=system)))[1])

    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(run, f"S{number}")
    assert said == [None] * 6
    assert len(model("x").manifest.layers) == 2
    assert leftovers() == []


async def test_a_creation_waits_for_that_of_its_name_and_others_do_not(kit):
    async with kit.ref.stream(Create("x", source="seedling"), window=1) as held:
        await held.__anext__()
        assert (await create(kit, Create("y", source="seedling")))[1] is None
        with trio.move_on_after(0.1) as scope:
            await create(kit, Create("X", source="seedling", system="S"))
        assert scope.cancelled_caught
    assert (await create(kit, Create("X", source="seedling")))[1] is None


async def test_two_models_are_made_at_once_and_more_wait_up_to_a_bound(kit):
    async with trio.open_nursery() as nursery:

        async def hold(number):
            async with kit.ref.stream(Create(f"m{number}", source="seedling"), window=1) as items:
                await items.__anext__()
                await trio.sleep_forever()

        for number in range(32):
            nursery.start_soon(hold, number)
        await until(lambda: kit.actor.info() == {"running": 2, "open": 32})
        said, problem = await create(kit, Create("one-more", source="seedling"))
        assert (said, problem.status, problem.retry_after) == ([], 503, 5)
        nursery.cancel_scope.cancel()
    await until(lambda: kit.actor.info() == {"running": 0, "open": 0})


async def test_the_end_of_the_actor_ends_its_processes(catalog, f16, leftovers):
    wanted = Create("x", files={"a.gguf": f16}, quantize="Q4_K_M")
    spec = ChildSpec("builder", lambda: BuilderActor(catalog))
    async with actor_kit(spec) as kit, kit.ref.stream(wanted, window=1) as items:
        async for item in items:
            if item.total:
                break
        processes = converting()
        kit.node.stop()
        await until(lambda: kit.actor is None)
    assert not any(process.is_running() for process in processes)
    assert leftovers(f16) == []


def test_a_killed_daemon_leaves_a_store_that_the_next_start_makes_clean(store, f16, leftovers):
    command = [sys.executable, "-c", KILLED, str(store.root), f16]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        assert any(b"quantizing" in line for line in iter(daemon.stdout.readline, b""))
        (child,) = psutil.Process(daemon.pid).children()
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
        gone, _ = psutil.wait_procs([child], timeout=10)
        assert gone == [child]
    before = leftovers(f16)
    assert before
    old = time.time() - 120
    for path in [*store.folder.iterdir(), *(store.own_folder / "pins").iterdir()]:
        os.utime(path, (old, old))
    store.tidy()
    assert leftovers(f16) == []
