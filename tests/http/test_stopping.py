"""How answers end when the daemon is told to: each with a word, in its API's own way."""

import json
from contextlib import asynccontextmanager

import httpx
import pytest
import structlog
import trio

from actorllm.actors.edge import actor
from actorllm.actors.edge.actor import TAIL, Edge
from actorllm.actors.edge.server import listen
from actorllm.actors.kernel import ChildSpec, Node, Supervisor
from actorllm.http.app import create_app

WORD = "the server is stopping, please try again in a moment"
USER = {"messages": [{"role": "user", "content": "hi"}]}
LONG = 3600.0


class Stoppable:
    """A daemon without models, in one process."""

    def __init__(self, world, grace):
        self.world = world
        self.over = trio.Event()
        self._grace = grace

    def _edge(self):
        log = structlog.get_logger("actorllm")
        return Edge(
            lambda: create_app(self.node, self.world.settings, log), [self._sock], grace=self._grace
        )

    @asynccontextmanager
    async def running(self):
        self.node = Node("test", seed=1)
        edge = ChildSpec("edge", self._edge, shutdown=self._grace + TAIL)
        root = ChildSpec("root", lambda: Supervisor([*self.world.tree(), edge]))
        with listen("127.0.0.1", 0) as self._sock:
            self.world.port = self._sock.getsockname()[1]
            async with trio.open_nursery() as nursery:

                async def run(task_status=trio.TASK_STATUS_IGNORED):
                    await self.node.run(root, task_status=task_status)
                    self.over.set()

                await nursery.start(run)
                try:
                    yield self
                finally:
                    self.stop()
                    self.stop()

    def stop(self):
        """What a signal does."""
        self.node.stop()

    async def ended(self):
        with trio.fail_after(5):
            await self.over.wait()


@asynccontextmanager
async def stoppable(world, grace=0.0):
    async with (
        Stoppable(world, grace).running() as daemon,
        httpx.AsyncClient(base_url=world.url, timeout=10, trust_env=False) as http,
    ):
        yield daemon, http


@asynccontextmanager
async def answering(world):
    """A daemon with a long grace, a client, and the lines of an answer that has begun."""
    async with (
        stoppable(world, LONG) as (daemon, http),
        http.stream("POST", "/api/generate", json=body_of("/api/generate")) as stream,
    ):
        lines = stream.aiter_lines()
        await anext(lines)
        yield daemon, http, lines


@pytest.fixture
def world(make_world):
    return make_world()


def body_of(path, model="pauses"):
    if path.startswith("/v1/responses"):
        return {"model": model, "input": "hi"}
    if path.startswith("/v1/"):
        return {"model": model, "prompt": "hi", "max_tokens": 9, **USER}
    if path == "/api/create":
        return {"model": "new", "from": model}
    return {"model": model, "prompt": "hi", **USER}


def line(value):
    return json.dumps(value, separators=(",", ":")) + "\n"


ERROR = {"error": {"message": WORD, "type": "api_error", "param": None, "code": None}}
STREAMS = {
    "/api/generate": line({"error": WORD}),
    "/api/chat": line({"error": WORD}),
    "/api/pull": line({"error": WORD}),
    "/api/create": line({"error": WORD}),
    "/v1/chat/completions": f"data: {line(ERROR)}\ndata: [DONE]\n\n",
    "/v1/completions": f"data: {line(ERROR)}\ndata: [DONE]\n\n",
}


@pytest.mark.parametrize("path", [*STREAMS, "/v1/responses", "/v1/messages"])
async def test_a_stream_ends_with_an_error_of_its_api(world, path):
    body = body_of(path) | {"stream": True}
    async with (
        stoppable(world) as (daemon, http),
        http.stream("POST", path, json=body) as stream,
    ):
        parts = stream.aiter_text()
        got = await anext(parts)
        assert stream.status_code == 200
        daemon.stop()
        got += "".join([part async for part in parts])  # raises if the transfer breaks
        await daemon.ended()
    if path in STREAMS:
        assert got.endswith(STREAMS[path])
        return
    name, _, data = got.rstrip().split("\n\n")[-1].partition("\n")
    said = json.loads(data.removeprefix("data: "))
    if path == "/v1/responses":
        assert name == "event: response.failed"
        assert said["response"]["error"] == {"code": "server_error", "message": WORD}
        assert said["response"]["status"] == "failed"
    else:
        assert name == "event: error"
        assert said["error"] == {"type": "overloaded_error", "message": WORD}


async def test_several_choices_end_with_one_error(world):
    body = body_of("/v1/chat/completions") | {"stream": True, "n": 3}
    async with (
        stoppable(world) as (daemon, http),
        http.stream("POST", "/v1/chat/completions", json=body) as stream,
    ):
        parts = stream.aiter_text()
        got = await anext(parts)
        daemon.stop()
        got += "".join([part async for part in parts])
    assert got.endswith(STREAMS["/v1/chat/completions"])
    assert got.count(WORD) == 1


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "path", ["/api/generate", "/api/chat", "/v1/completions", "/v1/responses", "/v1/messages"]
)
async def test_what_has_not_begun_is_refused(world, path, stream):
    async with (
        stoppable(world) as (daemon, http),
        trio.open_nursery() as nursery,
    ):

        async def ask():
            answer = await http.post(path, json=body_of(path, "waits") | {"stream": stream})
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "5"
            assert answer.headers["Connection"] == "close"
            error = answer.json()["error"]
            assert (error if isinstance(error, str) else error["message"]) == WORD

        nursery.start_soon(ask)
        await world.until(lambda: world.followed == 1)
        daemon.stop()
        await daemon.ended()


async def test_an_upload_is_refused_in_the_midst_of_it(world):
    async with stoppable(world) as (daemon, _):
        stream = await world.connect()
        head = f"POST /api/blobs/sha256:{'0' * 64} HTTP/1.1\r\nHost: localhost\r\n"
        await stream.send_all(f"{head}Content-Length: 99\r\n\r\nhalf".encode())
        await world.until(lambda: world.parts == [4])
        daemon.stop()
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 503")
        await stream.aclose()
        await daemon.ended()


async def test_an_answer_may_end_by_itself_while_newcomers_are_refused(world):
    async with answering(world) as (daemon, http, lines):
        daemon.stop()
        refused = await http.get("/v1/models")
        while refused.status_code == 200:  # the stop takes its turns
            refused = await http.get("/v1/models")
        assert (refused.status_code, refused.json()) == (503, ERROR)
        assert refused.headers["Retry-After"] == "5"
        assert (await http.get("/api/version")).json() == {"error": WORD}
        world.goes_on.set()
        assert json.loads([text async for text in lines][-1])["done_reason"] == "stop"
        await daemon.ended()


async def test_a_second_stop_ends_the_grace(world):
    async with answering(world) as (daemon, _, lines):
        daemon.stop()
        daemon.stop()
        assert [json.loads(text) async for text in lines] == [{"error": WORD}]
        await daemon.ended()


async def test_nobody_is_left_waiting_after_the_end(world):
    async with stoppable(world) as (daemon, http):
        await http.get("/api/version")
        daemon.stop()
        await daemon.ended()
        with pytest.raises(httpx.ConnectError):
            await http.get("/api/version")


async def test_who_does_not_read_does_not_hold_up_the_stop(world, monkeypatch):
    monkeypatch.setattr(actor, "LAST_WORDS", 0.1)
    async with stoppable(world) as (daemon, _):
        stream = await world.connect()
        body = json.dumps(body_of("/api/generate", "endless"))
        head = f"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}"
        await stream.send_all(f"{head}\r\n\r\n{body}".encode())
        await world.until(lambda: world.followed == 1)
        await trio.testing.wait_all_tasks_blocked(0.1)
        daemon.stop()
        await daemon.ended()
        await stream.aclose()


async def test_who_reads_late_gets_all_that_was_written_and_the_last_word(world):
    async with (
        stoppable(world) as (daemon, http),
        http.stream("POST", "/api/generate", json=body_of("/api/generate", "endless")) as stream,
    ):
        await trio.testing.wait_all_tasks_blocked(0.1)
        daemon.stop()
        await trio.testing.wait_all_tasks_blocked(0.01)  # cut while a write waits
        lines = [json.loads(text) async for text in stream.aiter_lines()]
        assert {text.get("response") for text in lines[:-1]} == {"x" * 500}
        assert lines[-1] == {"error": WORD}
        await daemon.ended()
