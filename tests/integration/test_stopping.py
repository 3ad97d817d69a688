"""A daemon that is told to stop while it answers: no stream dies without a word."""

import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import httpx
import ollama
import psutil
import pytest

from tests.cli.terminal import Terminal
from tests.integration.daemon import MODEL, TIMEOUT, Daemon, eventually

WORD = "the server is stopping, please try again in a moment"
TAIL = 5.0
"""Seconds that a stop may take beside the grace, on a machine that does much else."""
ENDLESS = {"type": "array", "items": {"type": "integer"}, "minItems": 10_000}
"""An answer that may not end before it is very long."""
USER = [{"role": "user", "content": "Count."}]

OLLAMA = {"model": MODEL, "format": ENDLESS, "options": {"num_predict": 100_000}}
OPENAI = {"type": "json_schema", "json_schema": {"name": "x", "schema": ENDLESS}}
BODIES: dict[str, dict[str, Any]] = {
    "/api/generate": OLLAMA | {"prompt": "Count."},
    "/api/chat": OLLAMA | {"messages": USER},
    "/v1/chat/completions": {"model": MODEL, "messages": USER, "response_format": OPENAI},
    "/v1/responses": {
        "model": MODEL,
        "input": "Count.",
        "text": {"format": {"type": "json_schema", "name": "x", "schema": ENDLESS}},
    },
    "/v1/messages": {
        "model": MODEL,
        "messages": USER,
        "max_tokens": 100_000,
        "output_config": {"format": {"type": "json_schema", "schema": ENDLESS}},
    },
}


class Crowd:
    """Clients that run side by side, and those of them whose streams have begun."""

    def __init__(self, daemon: Daemon, pool: ThreadPoolExecutor) -> None:
        self.daemon = daemon
        self.begun: list[Event] = []
        self._pool = pool

    def add(self, follow: Callable[[Callable[[], None]], Any]) -> "Future[Any]":
        """Let one begin; it calls what it is given when its first part has come."""
        begun = Event()
        self.begun.append(begun)
        return self._pool.submit(follow, begun.set)

    def raw(self, path: str) -> "Future[str]":
        """One that returns all the text of its stream; a broken transfer is an error."""

        def follow(began: Callable[[], None]) -> str:
            body, text = BODIES[path] | {"stream": True}, ""
            url = self.daemon.url + path
            with httpx.stream("POST", url, json=body, timeout=TIMEOUT) as stream:
                assert stream.status_code == 200
                for part in stream.iter_text():
                    began()
                    text += part
            return text

        return self.add(follow)

    def items(self, stream: Callable[[], Iterator[Any]]) -> "Future[Any]":
        """One that returns the error that a client's own iterator raises."""

        def follow(began: Callable[[], None]) -> Exception | None:
            try:
                for _ in stream():
                    began()
            except Exception as e:  # noqa: BLE001 -- which one it is, is the question
                return e
            return None

        return self.add(follow)

    def wait(self) -> None:
        """Wait until all streams have begun."""
        for begun in self.begun:
            assert begun.wait(TIMEOUT)


@contextmanager
def crowd(daemon: Daemon) -> Iterator[Crowd]:
    with ThreadPoolExecutor(16) as pool:
        try:
            yield Crowd(daemon, pool)
        finally:
            if daemon.process.poll() is None:
                daemon.stop()  # else the clients would go on for ever


def terminate(daemon: Daemon, grace: float) -> None:
    """Stop a daemon as a service manager does; it must end well, soon, and with all its children."""
    family = daemon.family()
    began = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(grace + TAIL) == 0, daemon.log
    assert time.monotonic() - began < grace + TAIL
    eventually(lambda: not [p for p in family if p.is_running()], within=1)


def cut(daemon: Daemon) -> dict[str, Any]:
    """What the log says of answers that were cut short."""
    lines = [json.loads(line) for line in daemon.log.splitlines() if line.startswith("{")]
    (said,) = [line for line in lines if line["event"] == "answers were cut short"]
    return said


def last_event(text: str) -> tuple[str, Any]:
    """The name and the data of the last event of a stream; it is whole."""
    assert text.endswith("\n\n")
    *_, last = text.removesuffix("\n\n").split("\n\n")
    name, _, data = last.rpartition("data: ")
    return name.strip(), json.loads(data)


def silent_reader(url: str) -> socket.socket:
    """Ask for a stream and read nothing of it."""
    body = json.dumps(BODIES["/api/generate"])
    parts = urlsplit(url)
    reader = socket.create_connection((parts.hostname or "", parts.port or 0))
    head = f"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}"
    reader.sendall(f"{head}\r\n\r\n{body}".encode())
    return reader


def test_every_stream_ends_with_an_error_of_its_api(start: Callable[..., Daemon]):
    daemon = start(ACTORLLM_STOP_GRACE="0.3s", ACTORLLM_NUM_PARALLEL="9")
    client = ollama.Client(daemon.url)
    whole = BODIES["/v1/chat/completions"] | {"stream": False}
    with crowd(daemon) as clients, silent_reader(daemon.url):
        generating = [
            clients.items(lambda: client.generate(**BODIES["/api/generate"], stream=True))
            for _ in range(2)
        ]
        chatting = [
            clients.items(lambda: client.chat(**BODIES["/api/chat"], stream=True)) for _ in range(2)
        ]
        chat, response, message = map(clients.raw, [*BODIES][2:])
        clients.wait()
        waiting = [
            clients.add(
                lambda _: httpx.post(
                    f"{daemon.url}/v1/chat/completions", json=whole, timeout=TIMEOUT
                )
            )
            for _ in range(2)
        ]
        states = ["queued", *["running"] * 9]
        eventually(lambda: sorted(job["state"] for job in daemon.jobs()) == states)
        terminate(daemon, 0.3)
    for error in [asked.result() for asked in generating + chatting]:
        assert isinstance(error, ollama.ResponseError)
        assert error.error == WORD
    *_, failed, done = chat.result().removesuffix("\n\n").split("\n\n")
    assert json.loads(failed.removeprefix("data: "))["error"]["message"] == WORD
    assert done == "data: [DONE]"
    name, data = last_event(response.result())
    assert (name, data["response"]["error"]["message"]) == ("event: response.failed", WORD)
    name, data = last_event(message.result())
    assert (name, data["error"]["message"]) == ("event: error", WORD)
    for answer in [asked.result() for asked in waiting]:
        assert answer.status_code == 503
        assert answer.json()["error"]["message"] == WORD
    assert cut(daemon)["count"] == 10
    assert cut(daemon)["not_told"] == 0  # the system keeps what the silent one has not read


def test_other_clients_raise_errors_of_their_own(start: Callable[..., Daemon]):
    openai = pytest.importorskip("openai")
    anthropic = pytest.importorskip("anthropic")
    daemon = start(ACTORLLM_STOP_GRACE="0s")
    daemon.assert_works()
    gpt = openai.OpenAI(base_url=f"{daemon.url}/v1", api_key="none", max_retries=0)
    claude = anthropic.Anthropic(base_url=daemon.url, api_key="none", max_retries=0)
    events = []

    def respond() -> Iterator[Any]:
        for event in gpt.responses.create(**BODIES["/v1/responses"], stream=True):
            events.append(event)
            yield event

    with crowd(daemon) as clients:
        chat = clients.items(
            lambda: gpt.chat.completions.create(**BODIES["/v1/chat/completions"], stream=True)
        )
        response = clients.items(respond)
        message = clients.items(
            lambda: claude.messages.create(**BODIES["/v1/messages"], stream=True)
        )
        clients.wait()
        terminate(daemon, 0)
    assert isinstance(chat.result(), openai.APIError)
    assert not isinstance(chat.result(), openai.APIConnectionError)
    assert chat.result().message == WORD
    assert response.result() is None
    assert (events[-1].type, events[-1].response.error.message) == ("response.failed", WORD)
    assert isinstance(message.result(), anthropic.APIStatusError)
    assert WORD in str(message.result())


def test_who_waits_for_a_model_to_load_is_refused(start: Callable[..., Daemon]):
    slow = '[[rule]]\npath = "/scheduler/*"\nat = "spawn"\ndo = "slow"\nseconds = 60\n'
    daemon = start(plan=slow, ACTORLLM_STOP_GRACE="0s")
    with crowd(daemon) as clients:
        waiting = [
            clients.add(
                lambda _, stream=stream: daemon.post(
                    "/api/generate", **BODIES["/api/generate"], stream=stream
                )
            )
            for stream in (True, False)
        ]
        eventually(lambda: daemon.actors()["/scheduler"]["info"]["waiting"] == 2)
        terminate(daemon, 0)
    for answer in [asked.result() for asked in waiting]:
        assert (answer.status_code, answer.json()) == (503, {"error": WORD})
        assert answer.headers["Retry-After"] == "5"


def test_a_stream_whose_runner_cannot_be_replaced_ends_with_an_error_too(
    start: Callable[..., Daemon],
):
    failing = '[[rule]]\npath = "/scheduler/*"\nat = "spawn"\ndo = "fail"\nafter = 1\n'
    daemon = start(plan=failing)
    with crowd(daemon) as clients:
        lines, events, message = map(
            clients.raw, ["/api/chat", "/v1/chat/completions", "/v1/messages"]
        )
        clients.wait()
        psutil.Process(daemon.runners()[0]).kill()
        text = json.loads(lines.result().splitlines()[-1])["error"]
        assert "died while loading" in text
        *_, failed, done = events.result().removesuffix("\n\n").split("\n\n")
        assert json.loads(failed.removeprefix("data: "))["error"]["message"] == text
        assert done == "data: [DONE]"
        name, data = last_event(message.result())
        assert (name, data["error"]["message"]) == ("event: error", text)
    daemon.stop()


def test_a_second_signal_ends_the_grace_and_a_conversation_outlives_both(
    start: Callable[..., Daemon],
):
    daemon = start(ACTORLLM_STOP_GRACE="1h")
    environ = daemon.environ | {"ACTORLLM_HOST": daemon.url, "TERM": "xterm"}
    run = ["run", "--format", json.dumps(ENDLESS), MODEL]
    with Terminal(*run, **environ) as terminal, crowd(daemon) as clients:
        terminal.expect(">>> ")
        terminal.type("Count.\r")
        terminal.expect("[")
        stream = clients.raw("/api/generate")
        clients.wait()
        daemon.process.send_signal(signal.SIGINT)
        eventually(lambda: daemon.client.get("/api/version").status_code == 503)
        assert not stream.done()
        terminate(daemon, 0)
        assert json.loads(stream.result().splitlines()[-1]) == {"error": WORD}
        terminal.expect(f"Error: {WORD}\r\n")
        terminal.expect(">>> ")
        terminal.type("And now?\r")
        terminal.expect("Error: no server answers")
        terminal.expect(">>> ")
        terminal.type("\x04")
        assert terminal.status() == 0
