"""How much memory is free: of the machine, and of the control groups that this process lies in.

A service or a container may have less than its machine. Who takes more than its group may have
is killed, however much the machine has left.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

from actorllm.actors.runner.engine.groups import own_groups

__all__ = ["free_memory", "left_in_groups"]


def free_memory() -> int:
    """Bytes of memory that a new process could use now."""
    return min([int(psutil.virtual_memory().available), *left_in_groups(own_groups())])


def left_in_groups(groups: Iterable[Path]) -> Iterator[int]:
    """Give what each group with a limit has left, in bytes.

    Its cache of files counts as free, as it does for the machine: the system takes it back.
    """
    for group in groups:
        left = _left(group)
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
