# ruff: noqa: T201 -- a script that prints
"""How fast a pull is, beside `curl` and `sha256sum` of the same bytes.

python -m tests.bench.pulling [MEBIBYTES] [ROUNDS]

The real registry and the real daemon, on one machine and one disk. Both take their turns in each
round; both end when the bytes are on the disk, and verified. What is compared is the time of the
whole: request, bytes, digest, and `sync` of the file that curl wrote, since a pull does as much.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from actorllm.protocol.manifest import CONFIG, MANIFEST, MODEL
from actorllm.protocol.names import digest_of
from tests.bench.machine import describe
from tests.integration.daemon import Daemon
from tests.registry.server import RealRegistry, real_registry

MIB = 1024 * 1024
REPOSITORY = "library/big"


def offer(registry: RealRegistry, size: int) -> str:
    """Put a model of random bytes into the registry; returns the digest of its blob."""
    data = os.urandom(size)
    config = b"{}"
    layers = [{"mediaType": MODEL, "digest": digest_of(data), "size": size}]
    described = {"mediaType": CONFIG, "digest": digest_of(config), "size": len(config)}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": layers}
    blobs = {digest_of(data): data, digest_of(config): config}
    registry.put(REPOSITORY, blobs, json.dumps(manifest).encode())
    return digest_of(data)


def curl(registry: RealRegistry, digest: str, folder: Path) -> float:
    """Seconds for curl, sync and sha256sum."""
    target = folder / "blob"
    url = f"{registry.url}/{REPOSITORY}/blobs/{digest}"
    began = time.perf_counter()
    subprocess.run(["curl", "-sf", "-o", target, url], check=True)
    subprocess.run(["sync", target], check=True)
    summed = subprocess.run(["sha256sum", target], check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    assert summed.stdout.split()[0] == digest.removeprefix("sha256:")
    target.unlink()
    return seconds


def pull(daemon: Daemon, registry: RealRegistry) -> float:
    """Seconds for a pull into an empty store."""
    name = f"{registry.host}/{REPOSITORY}"
    began = time.perf_counter()
    body = {"model": name, "insecure": True, "stream": False}
    answer = httpx.post(f"{daemon.url}/api/pull", json=body, timeout=600)
    seconds = time.perf_counter() - began
    assert answer.json() == {"status": "success"}, answer.text
    daemon.client.request("DELETE", "/api/delete", json={"model": name}).raise_for_status()
    return seconds


def main(size: int, rounds: int) -> None:
    """Measure and print."""
    print(describe())
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "registry").mkdir()
        with real_registry(folder / "registry") as registry:
            digest = offer(registry, size * MIB)
            daemon = Daemon(folder / "state").wait()
            try:
                taken = [
                    (curl(registry, digest, folder), pull(daemon, registry)) for _ in range(rounds)
                ]
            finally:
                daemon.stop()
    for theirs, ours in taken:
        print(f"curl + sync + sha256sum {theirs:.2f} s, pull {ours:.2f} s: {theirs / ours:.2f}")
    ratios = [theirs / ours for theirs, ours in taken]
    best = min(theirs for theirs, _ in taken) / min(ours for _, ours in taken)
    speed = size * MIB / min(ours for _, ours in taken) / 1e6
    print(
        f"{size} MiB, pull {speed:.0f} MB/s; ratio {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}; best rounds {best:.2f})"
    )


if __name__ == "__main__":
    main(*map(int, [*sys.argv[1:], "512", "5"][:2] if len(sys.argv) < 3 else sys.argv[1:3]))
