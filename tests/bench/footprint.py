# ruff: noqa: T201 -- a script that prints
"""What an idle daemon costs, and how soon it answers.

python -m tests.bench.footprint [ROUNDS]
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil

from tests.bench.machine import describe
from tests.integration.daemon import MODEL, Daemon

IDLE_SECONDS = 10.0
MIB = 1024 * 1024


def tree(daemon: Daemon) -> list[psutil.Process]:
    """The daemon and its children."""
    return [psutil.Process(daemon.process.pid), *daemon.family()]


def memory(daemon: Daemon) -> str:
    """RSS and PSS of all processes."""
    infos = [process.memory_full_info() for process in tree(daemon)]
    rss, pss = sum(i.rss for i in infos) / MIB, sum(i.pss for i in infos) / MIB
    return f"RSS {rss:.1f} MiB, PSS {pss:.1f} MiB, {len(infos)} processes"


def cpu(daemon: Daemon) -> str:
    """Processor time while nobody asks anything."""

    def used() -> float:
        return sum(sum(p.cpu_times()[:2]) for p in tree(daemon))

    before = used()
    time.sleep(IDLE_SECONDS)
    return f"{(used() - before) * 1000:.0f} ms of CPU in {IDLE_SECONDS:g} s"


def start(folder: Path) -> tuple[Daemon, float]:
    """A daemon, and the seconds from its start to its first answer."""
    began = time.perf_counter()
    daemon = Daemon(folder).wait()
    daemon.client.get("/api/version").raise_for_status()
    return daemon, time.perf_counter() - began


def first_token(daemon: Daemon) -> float:
    """Seconds from a request to its first frame."""
    body = {"model": MODEL, "prompt": "Hello", "options": {"num_predict": 2}}
    began = time.perf_counter()
    with httpx.stream("POST", f"{daemon.url}/api/generate", json=body, timeout=60) as answer:
        assert "error" not in json.loads(next(answer.iter_lines()))
    return time.perf_counter() - began


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(describe())
    starts, cold, warm = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            daemon, seconds = start(Path(folder) / str(number))
            try:
                starts.append(seconds)
                if number == 0:
                    print(f"idle, nothing loaded: {memory(daemon)}; {cpu(daemon)}")
                cold.append(first_token(daemon))
                warm.append(first_token(daemon))
                if number == 0:
                    print(f"idle, {MODEL} loaded: {memory(daemon)}; {cpu(daemon)}")
            finally:
                daemon.stop()
    for what, values in (
        ("start to first answer", starts),
        (f"first token, {MODEL} not loaded", cold),
        (f"first token, {MODEL} loaded", warm),
    ):
        median, least, most = statistics.median(values), min(values), max(values)
        print(f"{what}: {median:.3f} s (median of {rounds}; {least:.3f} to {most:.3f})")


if __name__ == "__main__":
    main()
