# ruff: noqa: T201 -- a script that prints
"""How long a list of many models takes, each with weights of its own.

python -m tests.bench.listing [MODELS] [ROUNDS]

*cold* is the first list of a new store: the header of every file is read. *after a start* is the
first one of a daemon that finds what another has remembered. *warm* is every later one: the median,
the fastest and the slowest of the rounds, over HTTP, from the request to the last byte of the answer,
and the processor time that the daemon took for each, which other work on the machine changes less.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.library.catalog import Catalog
from actorllm.protocol.manifest import LICENSE, PARAMS, SYSTEM, TEMPLATE
from tests.bench.machine import describe
from tests.integration.daemon import Daemon
from tests.library.conftest import BERT, add_model, layer

ROUTES = ("/api/tags", "/v1/models")


def fill(root: Path, count: int) -> None:
    """Make models: weights and system prompts of their own, and what models have in common."""
    catalog = Catalog(BlobStore(root), None)
    store, weights = catalog.blobs, BERT.read_bytes()
    shared = [
        layer(store, TEMPLATE, "{{ .System }} {{ .Prompt }}"),
        layer(store, LICENSE, "Do as you like."),
        layer(store, PARAMS, '{"temperature":0.5}'),
    ]
    for number in range(count):
        distinct = weights[:-8] + number.to_bytes(8)
        own = layer(store, SYSTEM, f"You are number {number}.")
        add_model(catalog, f"model-{number}", *shared, own, weights=distinct)


def timed(daemon: Daemon, route: str, count: int) -> float:
    """Milliseconds of one list."""
    began = time.perf_counter()
    answer = daemon.client.get(route)
    seconds = time.perf_counter() - began
    listed = answer.json()
    assert len(listed.get("models") or listed["data"]) == count + 1  # and the seedling
    return seconds * 1000


def warm(daemon: Daemon, route: str, count: int, rounds: int) -> str:
    """The figures of a route, in words."""
    process = psutil.Process(daemon.process.pid)
    before = sum(process.cpu_times()[:2])
    times = [timed(daemon, route, count) for _ in range(rounds)]
    used = (sum(process.cpu_times()[:2]) - before) * 1000 / rounds
    middle = statistics.median(times)
    return f"{middle:.1f} ms ({min(times):.1f} to {max(times):.1f}), {used:.0f} ms of CPU"


def command(daemon: Daemon) -> float:
    """Milliseconds of `actorllm list`, with the start of the program."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "actorllm.cli.main", "list"],
        env=daemon.environ | {"ACTORLLM_HOST": daemon.url},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return (time.perf_counter() - began) * 1000


def main(count: int = 1000, rounds: int = 20) -> None:
    """Measure and print."""
    print(describe())
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        fill(folder / "models", count)
        first = []
        for _ in range(2):
            daemon = Daemon(folder).wait()
            try:
                first.append(timed(daemon, ROUTES[0], count))
                lines = [f"{r} warm {warm(daemon, r, count, rounds)}" for r in ROUTES]
                listed = min(command(daemon) for _ in range(3))
            finally:
                daemon.stop()
    print(f"{count} models: cold {first[0]:.0f} ms, after a start {first[1]:.0f} ms")
    print("\n".join(lines))
    print(f"actorllm list {listed:.0f} ms")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
