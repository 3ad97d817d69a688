"""The cores of the machine: which of them this process may use, and how many are idle."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from actorllm.actors.runner.engine.groups import own_groups

__all__ = ["IdleCores", "own_cores", "quota_cores", "usable_cores"]

_TOPOLOGY = Path("/sys/devices/system/cpu")


def own_cores(topology: Path = _TOPOLOGY) -> tuple[frozenset[int], ...]:
    """Give the physical cores that this process may run on: of each, its logical processors.

    None where the system does not tell, or does not let programs choose.
    """
    if not hasattr(os, "sched_getaffinity"):
        return ()
    allowed = os.sched_getaffinity(os.getpid())
    cores = {frozenset(_siblings(topology, cpu) & allowed | {cpu}) for cpu in allowed}
    return tuple(sorted(cores, key=min))


def _siblings(topology: Path, cpu: int) -> set[int]:
    """Return the logical processors of the core that one of them belongs to."""
    try:
        text = (topology / f"cpu{cpu}/topology/thread_siblings_list").read_text(encoding="ascii")
        ranges = [part.partition("-") for part in text.strip().split(",")]
        return {n for first, _, last in ranges for n in range(int(first), int(last or first) + 1)}
    except (OSError, ValueError):
        return {cpu}


def usable_cores() -> int:
    """Count physical cores within the process's affinity and its control groups' quotas."""
    physical = len(own_cores()) or psutil.cpu_count(logical=False) or os.cpu_count() or 1
    return max(1, min(physical, quota_cores(own_groups())))


def quota_cores(groups: Iterable[Path]) -> int:
    """Count the cores that control groups allow; those of the machine where none says less."""
    return min([os.cpu_count() or 1, *(quota for group in groups if (quota := _quota(group)))])


def _quota(group: Path) -> int | None:
    """Return the cores of a group; None: it has no quota, or none that can be read."""
    try:
        quota, period = (group / "cpu.max").read_text(encoding="ascii").split()
        return max(1, round(int(quota) / int(period)))  # or "max"
    except (OSError, ValueError, ZeroDivisionError):
        return None


class IdleCores:
    """Tells how many cores of the machine nobody has used lately."""

    EVERY = 0.25
    """Seconds between two answers, at least."""

    def __init__(self) -> None:
        self._at = time.monotonic()
        self._idle = psutil.cpu_times().idle

    def __call__(self) -> float | None:
        """Return the mean since the last answer; None if that was just now."""
        passed = time.monotonic() - self._at
        if passed < self.EVERY:
            return None
        idle = psutil.cpu_times().idle
        cores = (idle - self._idle) / passed
        self._at += passed
        self._idle = idle
        return cores
