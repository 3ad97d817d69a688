"""Requests that kill their runner, and models that do."""

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.integration.daemon import TIMEOUT, Daemon, eventually
from tests.integration.streams import body_of, follow

MATES = (43, 50, 60)
LONG_PROMPT = "word " * 400_000
"""Takes the runner a while, so that there is time to shoot it before the first token."""


@pytest.fixture(scope="module")
def fragile(start: Callable[..., Daemon]) -> Daemon:
    """A daemon whose runners are shot."""
    return start()


def shoot(pid: int) -> None:
    """End a process as a wrong pointer would; it does nothing more before that."""
    os.kill(pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGSEGV)
    os.kill(pid, signal.SIGCONT)


def ask(daemon: Daemon, prompt: str) -> httpx.Response:
    body = body_of(7, num_predict=3) | {"prompt": prompt, "stream": False}
    return httpx.post(f"{daemon.url}/api/generate", json=body, timeout=TIMEOUT)


def leases(daemon: Daemon) -> int:
    return int(daemon.actors()["/scheduler"]["info"]["leases"])


def runner_of_all(daemon: Daemon, count: int) -> int:
    """The process of the runner on which so many requests have a lease, or 0."""
    actors = daemon.actors()
    pids = [a["info"].get("pid", 0) for p, a in actors.items() if p.startswith("/scheduler/")]
    return pids[0] if pids and actors["/scheduler"]["info"]["leases"] >= count else 0


def new_runner(daemon: Daemon, but: set[int]) -> int:
    """Wait for a runner's process, however young."""

    def young() -> int:
        return next((p.pid for p in daemon.family() if p.pid not in but), 0)

    return eventually(young)


def test_a_request_that_crashes_its_runner_twice_is_refused_and_its_mates_go_on(fragile: Daemon):
    fragile.assert_works()
    before = fragile.pinned()
    shot: set[int] = set()
    with ThreadPoolExecutor(len(MATES) + 1) as pool:
        mates = [pool.submit(follow, fragile, seed, num_predict=3000) for seed in MATES]
        eventually(lambda: leases(fragile) == len(MATES))
        poison = pool.submit(ask, fragile, LONG_PROMPT)
        while not poison.done():
            # The poison has a lease on this runner and no token yet: it would crash it now.
            pid = runner_of_all(fragile, len([m for m in mates if not m.done()]) + 1)
            if pid not in shot | {0}:
                shot.add(pid)
                shoot(pid)
        answer = poison.result()
        for mate in mates:
            mate.result().assert_sound()
    assert answer.status_code == 500, answer.text
    assert "twice" in answer.json()["error"]
    assert "SIGSEGV" in answer.json()["error"]
    assert len(shot) == 2
    assert all(mate.result().failovers for mate in mates)
    fragile.until_idle()
    fragile.assert_works()
    assert fragile.pinned() == before


def test_a_model_that_crashes_on_every_rung_is_given_up_with_the_signal(
    start: Callable[..., Daemon],
):
    daemon = start()
    seen = {p.pid for p in daemon.family()}
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(daemon.ask_capital)
        while not answer.done():
            pids = {p.pid for p in daemon.family()} - seen
            seen |= pids
            for pid in pids:
                shoot(pid)
            time.sleep(0.01)
    refused = answer.result()
    assert refused.status_code == 500
    assert "SIGSEGV" in refused.json()["error"]
    daemon.until_idle()
    assert not daemon.family()


def test_killing_a_runner_from_outside_does_not_degrade_it(start: Callable[..., Daemon]):
    daemon = start()
    seen = {p.pid for p in daemon.family()}
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(daemon.ask_capital)
        os.kill(new_runner(daemon, seen), signal.SIGKILL)
        done = answer.result()
    assert "Actorllm-Notice" not in done.headers
    assert "actorllm" not in done.json()
    assert not (daemon.state / "rungs.json").exists()
