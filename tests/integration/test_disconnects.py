"""Clients that leave early, at every stage: what they held is given back at once."""

import json
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio

from tests.integration.daemon import MODEL, Daemon, eventually
from tests.integration.streams import body_of

AT_ONCE = 1.0
"""Seconds within which everything must be given back."""
CLOSES = 500
SIDE_BY_SIDE = 8
LONGEST_STAY = 0.15
"""Seconds for which a client of the storm stays at most."""
LONG_SEED = 43


@pytest.fixture(scope="module")
def single(start: Callable[..., Daemon]) -> Daemon:
    """A daemon whose models answer one request at a time."""
    return start(ACTORLLM_NUM_PARALLEL="1")


def request(daemon: Daemon, path: str, body: dict[str, Any]) -> bytes:
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {urlsplit(daemon.url).netloc}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def address(daemon: Daemon) -> tuple[str, int]:
    parts = urlsplit(daemon.url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


@contextmanager
def asking(daemon: Daemon, **options: Any) -> Iterator[socket.socket]:
    """Ask for a long stream; leaving the block hangs up."""
    body = body_of(LONG_SEED, num_predict=5000, **options)
    with socket.create_connection(address(daemon), timeout=30) as sock:
        sock.sendall(request(daemon, "/api/generate", body))
        yield sock


def states(daemon: Daemon) -> list[str]:
    return [job["state"] for job in daemon.jobs()]


def gone_at_once(daemon: Daemon, jobs: int = 0) -> None:
    def is_gone() -> bool:
        actors = daemon.actors()
        held = actors["/scheduler"]["info"]
        left = [p for p in actors if p.startswith("/queue/")]
        return len(left) == jobs and held["leases"] == jobs and not held["waiting"]

    eventually(is_gone, within=AT_ONCE, what=f"{jobs} jobs and leases")


def busy_slots(daemon: Daemon) -> int:
    found = [a for p, a in daemon.actors().items() if p.startswith("/scheduler/")]
    return sum(a["info"].get("busy_slots", 0) for a in found)


def test_a_client_that_leaves_while_its_model_is_loaded_gives_everything_back(single: Daemon):
    single.post("/api/generate", model=MODEL, keep_alive=0)
    eventually(lambda: not single.runners())
    with asking(single):
        eventually(lambda: single.actors()["/scheduler"]["info"]["loading"])
    gone_at_once(single)
    eventually(lambda: not single.actors()["/scheduler"]["info"]["loading"])
    single.assert_works()


def test_a_client_that_leaves_the_queue_is_taken_out_of_it(single: Daemon):
    single.assert_works()
    with asking(single) as first:
        assert first.recv(1)
        with asking(single):
            eventually(lambda: sorted(states(single)) == ["queued", "running"])
        gone_at_once(single, jobs=1)
        assert states(single) == ["running"]
    gone_at_once(single)
    single.assert_works()


def test_a_client_that_leaves_during_decoding_frees_its_slot(single: Daemon):
    single.assert_works()
    with asking(single) as sock:
        assert sock.recv(1)
    gone_at_once(single)
    # The runner says with each heartbeat what its slots do.
    eventually(lambda: not busy_slots(single), within=3)
    single.assert_works()


def test_a_client_that_leaves_during_its_prompt_frees_its_slot(single: Daemon):
    single.assert_works()
    body = body_of(LONG_SEED, num_predict=1) | {"prompt": " ".join(map(str, range(200, 400)))}
    with socket.create_connection(address(single), timeout=30) as sock:
        sock.sendall(request(single, "/api/generate", body))
        eventually(lambda: "running" in states(single) or sock.recv(1, socket.MSG_PEEK))
    gone_at_once(single)
    single.assert_works()


def test_a_client_whose_end_is_hidden_behind_another_request_is_noticed(single: Daemon):
    single.assert_works()
    with asking(single) as sock:
        sock.sendall(request(single, "/api/generate", body_of(LONG_SEED)))
        assert sock.recv(1)
    gone_at_once(single)


def bodies(dice: random.Random) -> tuple[str, dict[str, Any]]:
    """A request of any dialect."""
    messages = [{"role": "user", "content": f"Tell me {dice.random()}"}]
    chat = {"model": MODEL, "messages": messages, "stream": dice.random() < 0.7}
    return dice.choice(
        [
            ("/api/generate", body_of(dice.randint(1, 10**6))),
            ("/api/chat", chat | {"options": {"temperature": 4}}),
            ("/v1/chat/completions", chat | {"temperature": 2}),
            ("/v1/messages", chat | {"max_tokens": 200}),
            ("/v1/completions", {"model": MODEL, "prompt": "Once", "stream": True}),
        ]
    )


async def leave_early(daemon: Daemon, dice: random.Random) -> None:
    data = request(daemon, *bodies(dice))
    if dice.random() < 0.1:
        data = data[: dice.randrange(len(data))]
    stream = await trio.open_tcp_stream(*address(daemon))
    with trio.move_on_after(dice.random() * LONGEST_STAY):
        await stream.send_all(data)
        while dice.random() < 0.99 and await stream.receive_some():
            pass
    await trio.aclose_forcefully(stream)


async def test_hundreds_of_clients_that_leave_at_random_stages_leave_nothing_behind(
    daemon: Daemon, tell: Callable[[str], None]
):
    seed = random.SystemRandom().getrandbits(32)
    tell(f"seed {seed}")
    dice = random.Random(seed)
    left = CLOSES

    async def leave_again_and_again() -> None:
        nonlocal left
        while left:
            left -= 1
            await leave_early(daemon, dice)
            if left == CLOSES // 2:  # half of them meet a model that is being loaded
                await trio.to_thread.run_sync(
                    lambda: daemon.post("/api/generate", model=MODEL, keep_alive=0)
                )

    crashes = daemon.counters()["crashes"]
    began = time.monotonic()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            for _ in range(SIDE_BY_SIDE):
                nursery.start_soon(leave_again_and_again)
    tell(f"{CLOSES} closes in {time.monotonic() - began:.1f} s")
    await trio.to_thread.run_sync(gone_at_once, daemon)
    await trio.to_thread.run_sync(daemon.assert_works)
    assert daemon.counters()["crashes"] == crashes
