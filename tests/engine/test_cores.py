import os
import time

import psutil
import pytest

from actorllm.actors.runner.engine.cores import IdleCores, own_cores, quota_cores, usable_cores
from actorllm.actors.runner.engine.groups import own_groups

needs_linux = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux only")


def test_there_is_at_least_one_core():
    assert usable_cores() >= 1


def test_the_least_quota_of_the_groups_counts(tmp_path):
    inner = tmp_path / "groups/system.slice/x.service"
    inner.mkdir(parents=True)
    proc = tmp_path / "proc"
    proc.write_text("12:cpu:/other\n0::/system.slice/x.service\n")
    groups = list(own_groups(proc, tmp_path / "groups"))
    assert groups == [inner, inner.parent, tmp_path / "groups"]
    cores = os.cpu_count() or 1
    assert quota_cores(groups) == cores
    (inner / "cpu.max").write_text("max 100000\n")
    (inner.parent / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "groups/cpu.max").write_text("never so\n")
    assert quota_cores(groups) == 1
    (inner.parent / "cpu.max").write_text("9000000 100000\n")
    assert quota_cores(groups) == min(90, cores)
    (inner / "cpu.max").write_text("1000 100000\n")
    assert quota_cores(groups) == 1
    proc.write_text("0::/../outside\n")
    assert not list(own_groups(proc, tmp_path / "groups"))


@needs_linux
def test_a_core_is_all_of_its_logical_processors_that_may_be_used(tmp_path):
    allowed = os.sched_getaffinity(0)
    for cpu in allowed:
        folder = tmp_path / f"cpu{cpu}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"0-{max(allowed)},99999\n")
    assert own_cores(tmp_path) == (frozenset(allowed),)


@needs_linux
def test_where_nothing_is_known_of_cores_each_processor_is_one(tmp_path):
    one = min(os.sched_getaffinity(0))
    (tmp_path / f"cpu{one}/topology").mkdir(parents=True)
    (tmp_path / f"cpu{one}/topology/thread_siblings_list").write_text("what?\n")
    assert own_cores(tmp_path) == tuple(frozenset({n}) for n in sorted(os.sched_getaffinity(0)))


def test_idle_cores_are_counted_over_some_time():
    idle = IdleCores()
    assert idle() is None
    time.sleep(IdleCores.EVERY)
    cores = idle()
    assert cores is not None
    assert 0 <= cores <= psutil.cpu_count() + 0.5
