"""How much memory is free: of the machine, and of the control groups that this process lies in.

A service or a container may have less than its machine. Who takes more than its group may have
is killed, however much the machine has left.
"""

from collections.abc import Iterator
from pathlib import Path

import psutil

__all__ = ["free_memory", "left_in_groups"]

_PROC = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")
_DEEPEST = 32
"""Levels of groups that are looked at."""


def free_memory() -> int:
    """Bytes of memory that a new process could use now."""
    return min([int(psutil.virtual_memory().available), *left_in_groups()])


def left_in_groups(proc: Path = _PROC, groups: Path = _GROUPS) -> Iterator[int]:
    """Give what each group with a limit has left, in bytes; version 2 of control groups only.

    Its cache of files counts as free, as it does for the machine: the system takes it back.

    Args:
        proc: Says which group this process is in.
        groups: Where the groups are mounted.
    """
    try:
        lines = proc.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), None)
    if own is None or ".." in Path(own).parts:
        return
    group = groups / own
    for folder in [group, *group.parents][:_DEEPEST]:
        if not folder.is_relative_to(groups):
            return
        left = _left(folder)
        if left is not None:
            yield left


def _left(group: Path) -> int | None:
    """Return what a group has left; None: it has no limit, or none that can be read."""
    try:
        limit = int((group / "memory.max").read_text(encoding="ascii"))  # or "max"
        used = int((group / "memory.current").read_text(encoding="ascii"))
        pairs = (line.split() for line in (group / "memory.stat").read_text("ascii").splitlines())
        counts = {name: int(size) for name, size in pairs}
    except (OSError, ValueError):
        return None
    cache = counts.get("file", 0) - counts.get("shmem", 0)
    return max(0, limit - used + max(0, cache))
