# ruff: noqa: T201 -- a script that prints
"""How fast a pull is, beside `curl` and `sha256sum` of the same bytes.

python -m tests.bench.pulling [MEBIBYTES] [ROUNDS]

The real registry and the real daemon, on one machine and one disk. Both take their turns in each
round; both end when the bytes are on the disk, and verified. What is compared is the time of the
whole: request, bytes, digest, and `sync` of the file that curl wrote, since a pull does as much.
Beside it stands the processor time of either, without the registry's: other work on the machine
changes it less. A first round, which finds nothing in memory, does not count.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import attrs
import httpx
import psutil

from tests.bench.machine import describe
from tests.integration.daemon import Daemon
from tests.registry.server import RealRegistry, real_registry

MIB = 1024 * 1024
REPOSITORY = "library/big"


@attrs.frozen
class Taken:
    """What one turn took, in seconds."""

    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.wall:.2f} s ({self.cpu:.2f} s of CPU)"


def curl(registry: RealRegistry, digest: str, folder: Path) -> Taken:
    """Take the time of curl, sync and sha256sum."""
    target = folder / "blob"
    url = f"{registry.url}/{REPOSITORY}/blobs/{digest}"
    before, began = _children(), time.perf_counter()
    subprocess.run(["curl", "-sf", "-o", target, url], check=True)
    subprocess.run(["sync", target], check=True)
    summed = subprocess.run(["sha256sum", target], check=True, capture_output=True, text=True)
    taken = Taken(time.perf_counter() - began, _children() - before)
    assert summed.stdout.split()[0] == digest.removeprefix("sha256:")
    target.unlink()
    return taken


def _children() -> float:
    """Seconds of the processor that children took which have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def pull(daemon: Daemon, registry: RealRegistry) -> Taken:
    """Take the time of a pull into an empty store."""
    name = f"{registry.host}/{REPOSITORY}"
    process = psutil.Process(daemon.process.pid)
    before, began = sum(process.cpu_times()[:2]), time.perf_counter()
    body = {"model": name, "insecure": True, "stream": False}
    answer = httpx.post(f"{daemon.url}/api/pull", json=body, timeout=600)
    taken = Taken(time.perf_counter() - began, sum(process.cpu_times()[:2]) - before)
    assert answer.json() == {"status": "success"}, answer.text
    daemon.client.request("DELETE", "/api/delete", json={"model": name}).raise_for_status()
    return taken


def main(size: int = 512, rounds: int = 5) -> None:
    """Measure and print."""
    print(describe())
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "registry").mkdir()
        with real_registry(folder / "registry") as registry:
            digest = registry.put_random(REPOSITORY, size * MIB)
            daemon = Daemon(folder / "state").wait()
            try:
                turns = [
                    (curl(registry, digest, folder), pull(daemon, registry))
                    for _ in range(rounds + 1)
                ][1:]
            finally:
                daemon.stop()
    for theirs, ours in turns:
        print(f"curl + sync + sha256sum {theirs}, pull {ours}: {theirs.wall / ours.wall:.2f}")
    ratios = [theirs.wall / ours.wall for theirs, ours in turns]
    cpu = statistics.median(theirs.cpu / ours.cpu for theirs, ours in turns)
    best = min(theirs.wall for theirs, _ in turns) / min(ours.wall for _, ours in turns)
    speed = size * MIB / min(ours.wall for _, ours in turns) / 1e6
    print(
        f"{size} MiB, pull {speed:.0f} MB/s; ratio {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}; best rounds {best:.2f}), of CPU {cpu:.2f}"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
