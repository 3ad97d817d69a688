# ruff: noqa: T201 -- a script that prints
"""A pull whose daemon is killed with -9 at random moments, until it is done.

python -m tests.campaigns.pull_kills [KILLS] [SEED]

The real registry behind a slow line, and the real daemon. Each round starts a daemon, pulls, and
kills the daemon at a random moment; the last one may end. After each kill every file that has the
name of a blob must be what its name says, and the next pull must go on with all that was kept, and
have lost a part at most. The tests run three of these kills with a smaller model.
"""

import hashlib
import json
import random
import sys
import tempfile
import time
from pathlib import Path

import attrs
import httpx
import trio

from tests.integration.daemon import Daemon
from tests.registry.proxy import Proxy, proxy_to
from tests.registry.server import RealRegistry, real_registry

__all__ = ["Killed", "pull_and_kill"]

MIB = 1024 * 1024
SIZE = 96 * MIB
RATE = 3e6
"""Bytes for each second of a connection."""
STREAMS = 4
PART = SIZE // STREAMS


@attrs.frozen
class Killed:
    """One round."""

    before: int
    """Bytes that the daemon had reported when it was killed."""
    after: int
    """Bytes that its state has: the next one goes on with them."""

    @property
    def lost(self) -> int:
        return max(0, self.before - self.after)


def pull_and_kill(
    folder: Path, model: str, digest: str, *, kills: int, seed: int, seconds: float
) -> list[Killed]:
    """Pull until it is done, with so many kills on the way.

    Args:
        folder: Of the daemon.
        model: Its name.
        digest: Of its blob.
        kills: How often the daemon dies.
        seed: Of the moments.
        seconds: That an undisturbed pull takes, about: the moments spread over them.
    """
    moments = random.Random(seed)
    rounds: list[Killed] = []
    for number in range(kills + 1):
        daemon = Daemon(folder, ACTORLLM_MAX_TRANSFER_STREAMS=str(STREAMS)).wait()
        last = number == kills
        wait = None if last else moments.uniform(0.0, 1.8 * seconds / max(kills, 1))
        try:
            # Most moments count from the first bytes on, some from the request on.
            seen, done = _pull(daemon, model, digest, wait, from_start=number % 4 == 3)
        finally:
            daemon.process.kill()
            daemon.stop()
        blobs = folder / "models" / "blobs"
        _check_blobs(blobs)
        if seen and rounds:
            assert seen[0] >= rounds[-1].after, "what was kept is not gone on with"
        if done:
            return rounds
        rounds.append(Killed(max(seen, default=0), _saved(blobs)))
    raise AssertionError("the last pull did not end")


def _pull(
    daemon: Daemon, model: str, digest: str, wait: float | None, *, from_start: bool
) -> tuple[list[int], bool]:
    """Pull for so many seconds, then kill.

    Returns:
        Bytes that were reported, one after another, and whether the pull has ended.
    """
    seen: list[int] = []
    body = {"model": model, "insecure": True}
    until = time.monotonic() + wait if wait is not None and from_start else None
    try:
        with daemon.client.stream("POST", "/api/pull", json=body) as answer:
            for line in answer.iter_lines():
                frame = json.loads(line)
                assert "error" not in frame, frame
                if frame.get("digest") == digest:
                    seen += [frame["completed"]] if "completed" in frame else []
                    if until is None and wait is not None and any(seen[-1:]):
                        until = time.monotonic() + wait
                if frame["status"] == "success":
                    return seen, True
                if until is not None and time.monotonic() > until:
                    daemon.process.kill()
    except httpx.TransportError:
        assert wait is not None
    return seen, False


def _saved(blobs: Path) -> int:
    """Bytes that the next pull will not fetch again."""
    states = [json.loads(path.read_bytes()) for path in (blobs / ".partial").glob("*.json")]
    return sum(done for state in states for _, done, _ in state["parts"])


def _check_blobs(folder: Path) -> None:
    for path in folder.glob("sha256-*"):
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        assert path.name == f"sha256-{found}", "a blob is visible that was not verified"


async def _run(kills: int, seed: int, folder: Path, registry: RealRegistry) -> None:
    digest = registry.put_random("library/killed", SIZE)
    proxy: Proxy
    async with proxy_to(registry.host) as proxy:
        proxy.rate = RATE
        model = f"{proxy.host}/library/killed"
        rounds = await trio.to_thread.run_sync(
            lambda: pull_and_kill(
                folder,
                model,
                digest,
                kills=kills,
                seed=seed,
                seconds=SIZE / RATE / STREAMS,
            )
        )
    for number, killed in enumerate(rounds, 1):
        print(
            f"kill {number}: {killed.before / MIB:.1f} MiB reported, "
            f"{killed.after / MIB:.1f} MiB kept"
        )
    most = max((killed.lost for killed in rounds), default=0)
    print(
        f"{len(rounds)} kills (seed {seed}), complete; at most {most / MIB:.1f} MiB fetched twice"
    )
    assert most <= PART


def main(kills: int = 20, seed: int = 1) -> None:
    """Run the campaign; an assertion fails if anything is wrong."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "registry").mkdir()
        with real_registry(folder / "registry") as registry:
            trio.run(_run, kills, seed, folder / "daemon", registry)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
