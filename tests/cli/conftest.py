import io
import json
import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs
import pytest

from actorllm.cli.main import main

NOT_FOUND = (404, b"404 page not found")


class FakeServer(ThreadingHTTPServer):
    """A real HTTP server that answers a few routes and remembers what it was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.routes: dict[tuple[str, str], Any] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self.broken_off = threading.Event()
        """Set when a client leaves in the midst of a stream."""
        self.on("GET", "/api/version", {"version": "0.33.0+actorllm.0.1.0"})

    @property
    def address(self):
        return f"127.0.0.1:{self.server_port}"

    def on(self, method: str, path: str, answer: Any, status: int = 200) -> None:
        """Answer by a JSON object, by the lines of a list or generator, or by what a function says."""
        self.routes[method, path] = (status, answer)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # the client has left
            super().handle_error(request, client_address)

    def bodies(self, path: str) -> list[Any]:
        return [body for _, asked, body in self.asked if asked == path]


class Handler(BaseHTTPRequestHandler):
    server: FakeServer
    protocol_version = "HTTP/1.1"

    def _answer(self):
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = raw
        self.server.asked.append((self.command, self.path, body))
        status, answer = self.server.routes.get((self.command, self.path), NOT_FOUND)
        if isinstance(answer, Callable):
            answer = answer(body)
            if isinstance(answer, tuple):
                status, answer = answer
        if isinstance(answer, dict | bytes):
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)
            return
        self.send_response(status)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            for item in answer:
                self.wfile.write(json.dumps(item).encode() + b"\n")
        except OSError:
            self.server.broken_off.set()

    def log_message(self, *_):
        pass


for method in ("GET", "POST", "DELETE", "HEAD"):
    setattr(Handler, f"do_{method}", Handler._answer)


@contextmanager
def serving():
    fake = FakeServer()
    thread = threading.Thread(target=fake.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield fake
    fake.shutdown()
    thread.join()
    fake.server_close()


@pytest.fixture
def server():
    with serving() as fake:
        yield fake


@pytest.fixture
def other_server():
    with serving() as fake:
        yield fake


@attrs.frozen
class Result:
    status: int
    out: str
    err: str


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """No variable of the machine's reaches the command; its folders are temporary."""
    import os

    for name in list(os.environ):
        if name.startswith(("ACTORLLM_", "OLLAMA_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ACTORLLM_STATE", str(tmp_path / "state"))
    return monkeypatch


@pytest.fixture
def actorllm(server, environment, capsys):
    """Run the command line against the fake server."""
    environment.setenv("ACTORLLM_HOST", server.address)

    def run(*arguments: str, stdin: str = "") -> Result:
        environment.setattr("sys.stdin", io.StringIO(stdin))
        status = main(list(arguments))
        out, err = capsys.readouterr()
        return Result(status, out, err)

    return run
