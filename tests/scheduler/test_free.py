import psutil
import pytest

from actorllm.actors.runner.engine.groups import own_groups
from actorllm.actors.scheduler.free import free_memory, left_in_groups

MIB = 1024 * 1024


@pytest.fixture
def groups(tmp_path):
    """Make control groups; return what is left in those that a process of `own` lies in."""
    root = tmp_path / "cgroup"

    def make(own, limits, *, kinds="0::"):
        for path, (limit, current, stat) in limits.items():
            folder = root / path.strip("/")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "memory.max").write_text(f"{limit}\n")
            (folder / "memory.current").write_text(f"{current}\n")
            (folder / "memory.stat").write_text(stat)
        (tmp_path / "self").write_text(f"1:name=systemd:/init.scope\n{kinds}{own}\n")
        return list(left_in_groups(own_groups(tmp_path / "self", root)))

    return make


def test_a_group_has_left_what_its_processes_do_not_use(groups):
    stat = f"anon {2 * MIB}\nfile {3 * MIB}\nshmem {MIB}\n"
    assert groups("/a.service", {"/a.service": (10 * MIB, 6 * MIB, stat)}) == [6 * MIB]


def test_the_groups_above_have_limits_too(groups):
    limits = {
        "/s.slice/a.service": ("max", 5, ""),
        "/s.slice": (8 * MIB, MIB, ""),
        "/": (9 * MIB, 10 * MIB, "file 0\n"),
    }
    assert groups("/s.slice/a.service", limits) == [7 * MIB, 0]


@pytest.mark.parametrize(
    ("own", "limit", "current", "stat"),
    [
        ("/a", "max", 5, ""),
        ("/a", "much", 5, ""),
        ("/a", 5, "", ""),
        ("/a", 5, 5, "file\n"),
        ("/../../etc", 5, 5, ""),
        ("/elsewhere", 5, 5, ""),
    ],
)
def test_what_is_no_limit_is_none(groups, own, limit, current, stat):
    assert groups(own, {"/a": (limit, current, stat)}) == []


def test_groups_of_the_first_version_are_not_looked_at(groups):
    assert groups("/a", {"/a": (5, 5, "")}, kinds="4:memory:") == []


def test_without_groups_the_machine_counts(tmp_path):
    assert list(left_in_groups(own_groups(tmp_path / "none", tmp_path))) == []
    assert 0 < free_memory() <= psutil.virtual_memory().total
