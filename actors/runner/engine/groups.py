"""The control groups that this process lies in; version 2 of them only.

A service or a container may have less than its machine.
"""

from collections.abc import Iterator
from pathlib import Path

__all__ = ["own_groups"]

_PROC = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")
_DEEPEST = 32
"""Levels of groups that are looked at."""


def own_groups(proc: Path = _PROC, groups: Path = _GROUPS) -> Iterator[Path]:
    """Give the folders of the groups of this process, the innermost first.

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
        yield folder
