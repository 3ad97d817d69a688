"""Who may wait, who is refused, and whose turn it is."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from tests.integration.daemon import MODEL, TIMEOUT, Daemon, eventually
from tests.integration.streams import body_of

GREEDY, MODEST = {"Authorization": "Bearer greedy"}, {"Authorization": "Bearer modest"}
CROWD = 20


@pytest.fixture(scope="module")
def narrow(start: Callable[..., Daemon]) -> Daemon:
    """One at a time, and one in the queue."""
    return start(ACTORLLM_NUM_PARALLEL="1", ACTORLLM_MAX_QUEUE="1")


@pytest.fixture(scope="module")
def single(start: Callable[..., Daemon]) -> Daemon:
    return start(ACTORLLM_NUM_PARALLEL="1")


@contextmanager
def occupied(daemon: Daemon) -> Iterator[None]:
    """Somebody has the only slot for a while: the answer may not end before it is very long."""
    endless = {"type": "array", "items": {"type": "integer"}, "minItems": 10_000}
    body = body_of(43, num_predict=10_000) | {"format": endless}
    url = f"{daemon.url}/api/generate"
    with httpx.stream("POST", url, json=body, timeout=TIMEOUT) as stream:
        lines = stream.iter_lines()  # kept: the end of it would end the stream
        json.loads(next(lines))
        yield
        lines.close()


def short(daemon: Daemon, headers: dict[str, str]) -> httpx.Response:
    body = body_of(50, num_predict=10) | {"stream": False}
    return httpx.post(f"{daemon.url}/api/generate", json=body, headers=headers, timeout=TIMEOUT)


def waiting(daemon: Daemon) -> int:
    return int(daemon.actors()["/scheduler"]["info"]["waiting"])


@pytest.mark.parametrize("path", ["/api/generate", "/api/chat", "/v1/chat/completions"])
def test_who_comes_when_the_queue_is_full_is_told_when_to_come_again(narrow: Daemon, path: str):
    narrow.assert_works()
    with ThreadPoolExecutor(1) as pool:
        with occupied(narrow):
            second = pool.submit(short, narrow, {})
            eventually(lambda: waiting(narrow) == 1)
            messages = [{"role": "user", "content": "x"}]
            refused = narrow.post(path, model=MODEL, prompt="x", messages=messages)
        assert second.result().status_code == 200
    assert refused.status_code == 503
    text = "server busy, please try again.  maximum pending requests exceeded"
    error = refused.json()["error"]
    assert text == (error if isinstance(error, str) else error["message"])
    assert int(refused.headers["Retry-After"]) > 0
    narrow.until_idle()
    narrow.assert_works()


def test_a_client_with_many_requests_does_not_starve_another(single: Daemon):
    single.assert_works()
    order: list[str] = []
    lock = threading.Lock()

    def ask(headers: dict[str, str]) -> None:
        answer = short(single, headers)
        assert answer.status_code == 200, answer.text
        with lock:
            order.append(headers["Authorization"])

    with ThreadPoolExecutor(CROWD + 2) as pool:
        with occupied(single):
            crowd = [pool.submit(ask, GREEDY) for _ in range(CROWD)]
            eventually(lambda: waiting(single) == CROWD)
            modest = [pool.submit(ask, MODEST) for _ in range(2)]
            eventually(lambda: waiting(single) == CROWD + 2)
        for done in crowd + modest:
            done.result()
    # The two come second and fourth; answers of neighbours may overtake each other by one.
    assert order.index(MODEST["Authorization"]) <= 2
    assert [who for who in order[:6] if who == MODEST["Authorization"]] == [*MODEST.values()] * 2
    single.until_idle()
