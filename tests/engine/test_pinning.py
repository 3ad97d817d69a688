import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from actorllm.actors.runner.engine.cores import own_cores
from actorllm.actors.runner.engine.pinning import Pinning, divided, name_thread
from actorllm.actors.runner.engine.types import Sampling, Work

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(own_cores()) < 2,
    reason="takes two cores, and a system that lets programs choose",
)

FOUR = [frozenset({n, n + 4}) for n in range(4)]


def test_each_thread_has_cores_of_its_own_and_none_is_left_over():
    for threads in range(1, 5):
        shares = divided(FOUR, threads)
        assert len(shares) == threads
        assert sorted(n for share in shares for n in share) == list(range(8))


def test_a_share_has_cores_that_lie_far_apart():
    assert divided(FOUR, 2) == [{0, 4, 2, 6}, {1, 5, 3, 7}]


def test_more_threads_than_cores_share_them_all():
    assert divided(FOUR, 5) == []


def computing(work):
    """Run something in a named thread of its own, as an engine does; return what it returns."""

    def named():
        name_thread()
        return work()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(named).result()


def cores_with(pinning, others, threads):
    """Have a thread make others, and give the processors of all of them after some passes."""
    rest = threading.Event()
    made = [threading.Thread(target=rest.wait) for _ in range(others)]
    try:
        pinning.use(threads)
        for thread in made:
            thread.start()
        pinning.passed()
        return [os.sched_getaffinity(t) for t in (0, *(thread.native_id for thread in made))]
    finally:
        rest.set()
        for thread in made:
            thread.join()
        os.sched_setaffinity(0, os.sched_getaffinity(os.getpid()))


def test_the_cores_are_divided_after_the_pass_that_made_the_threads():
    threads = len(own_cores())
    seen = computing(lambda: cores_with(Pinning(wanted=True), threads - 1, threads))
    assert sorted(map(min, seen)) == [min(core) for core in own_cores()]
    assert all(a.isdisjoint(b) for n, a in enumerate(seen) for b in seen[:n])


def test_a_thread_that_is_alone_may_run_anywhere():
    assert computing(lambda: cores_with(Pinning(wanted=True), 0, 1)) == [os.sched_getaffinity(0)]


def test_a_thread_runs_anywhere_while_it_makes_others():
    """They have the cores of their maker."""

    def work():
        pinning = Pinning(wanted=True)
        pinning.use(len(own_cores()))
        return os.sched_getaffinity(0)

    assert computing(work) == os.sched_getaffinity(0)


@pytest.mark.parametrize("how", ["unnamed", "unwanted", "bound by the user"])
def test_threads_are_left_alone(how, monkeypatch):
    if how == "bound by the user":
        monkeypatch.setenv("OMP_PROC_BIND", "false")
    threads = len(own_cores())

    def work():
        return cores_with(Pinning(wanted=how != "unwanted"), threads - 1, threads)

    if how == "unnamed":
        with ThreadPoolExecutor(1) as pool:
            seen = pool.submit(work).result()
    else:
        seen = computing(work)
    assert seen == [os.sched_getaffinity(0)] * threads


def test_the_threads_of_an_engine_have_cores_of_their_own(make_host, seedling):
    """Those that llama.cpp makes for it."""
    threads = len(own_cores())
    host = make_host(seedling, num_ctx=640, threads=threads)
    host.run(Work(id=1, prompt=(5, 6, 7, 8), sampling=Sampling(seed=1), max_tokens=8))
    name = f"compute-{host.engine._thread.native_id}"
    tasks = Path("/proc/self/task").iterdir()
    named = [int(task.name) for task in tasks if (task / "comm").read_text().strip() == name]
    assert len(named) == threads
    shares = [os.sched_getaffinity(task) for task in named]
    assert frozenset().union(*shares) == frozenset().union(*own_cores())
    assert all(a.isdisjoint(b) for n, a in enumerate(shares) for b in shares[:n])
