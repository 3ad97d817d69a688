"""How many threads compute: the cores that this process may really use."""

import os
from pathlib import Path

import psutil

__all__ = ["usable_cores"]

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores() -> int:
    """Count physical cores within the process's affinity and its cgroup's quota.

    A thread beyond them is worse than none: the others spin while they wait for it.
    """
    physical = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        physical = min(physical, len(os.sched_getaffinity(0)))
    return max(1, min(physical, _quota_cores()))


def _quota_cores() -> int:
    unlimited = os.cpu_count() or 1
    try:
        quota, period = _QUOTA.read_text(encoding="ascii").split()
        return unlimited if quota == "max" else max(1, round(int(quota) / int(period)))
    except (OSError, ValueError, ZeroDivisionError):
        return unlimited
