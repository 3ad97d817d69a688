"""On which machine figures were taken: without that they mean little."""

import os
from pathlib import Path

import psutil

from actorllm.actors.runner.engine.amx import cpu_has_amx
from actorllm.actors.runner.engine.cores import usable_cores

__all__ = ["describe"]


def describe() -> str:
    """CPU, cores, AMX, memory and how busy it is, in one line."""
    cpu = "unknown CPU"
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [x for x in info.read_text().splitlines() if x.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    amx = "yes (refused)" if cpu_has_amx() else "no"
    memory = psutil.virtual_memory().total / 1024**3
    load = ", ".join(f"{part:.1f}" for part in os.getloadavg())
    return f"{cpu}, {usable_cores()} cores, AMX: {amx}, {memory:.0f} GiB, load before: {load}"
