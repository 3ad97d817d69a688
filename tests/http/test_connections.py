"""What a client does to its connection: leaving, not reading, sending too much."""

import json
import resource

import pytest
import trio

from actorllm.actors.edge import server
from actorllm.http import connection
from actorllm.protocol.version import COMPAT

DIGEST = "/api/blobs/sha256:" + "0" * 64


def post(path, body, *, extra=b""):
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body + extra


def chat(model, **more):
    return json.dumps({"model": model, **more}).encode()


async def receive_until(stream, wanted):
    got = b""
    with trio.fail_after(5):
        while wanted not in got:
            part = await stream.receive_some()
            assert part, got
            got += part
    return got


@pytest.mark.parametrize("extra", [b"", b"\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"])
@pytest.mark.parametrize("streamed", [True, False])
async def test_leaving_before_the_first_token_cancels_the_job(world, extra, streamed):
    stream = await world.connect()
    await stream.send_all(post("/api/chat", chat("waits", stream=streamed), extra=extra))
    await world.until(lambda: world.followed == 1)
    await stream.aclose()
    await world.until(lambda: world.left == 1, seconds=1)


async def test_leaving_in_the_middle_cancels_the_job(world):
    stream = await world.connect()
    await stream.send_all(post("/api/generate", chat("endless")))
    await receive_until(stream, b'"response"')
    await stream.aclose()
    await world.until(lambda: world.left == 1, seconds=1)


async def test_leaving_while_not_reading_cancels_the_job(world):
    stream = await world.connect()
    await stream.send_all(post("/api/generate", chat("endless")))
    await receive_until(stream, b'"response"')
    await trio.testing.wait_all_tasks_blocked(0.1)
    await stream.aclose()
    await world.until(lambda: world.left == 1, seconds=1)


async def test_leaving_in_the_middle_of_an_upload_ends_the_upload(world):
    stream = await world.connect()
    head = f"POST {DIGEST} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n"
    await stream.send_all(head.encode() + b"x" * 1000)
    await world.until(lambda: bool(world.parts))
    await stream.aclose()
    await world.until(lambda: world.uploads == 0, seconds=1)


async def test_leaving_an_upload_that_the_disk_cannot_follow_ends_it(world):
    # As much as the server's buffers take; of more, the end would wait in the client's kernel.
    world.disk = trio.sleep_forever
    stream = await world.connect()
    head = f"POST {DIGEST} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n"
    await stream.send_all(head.encode() + b"x" * 2_000_000)
    await world.until(lambda: bool(world.parts))
    await stream.aclose()
    await world.until(lambda: world.uploads == 0, seconds=1)


async def test_the_memory_of_an_upload_is_bounded(world, client):
    size, part = 300 << 20, b"x" * (1 << 20)
    most = 0

    async def slow_disk():
        nonlocal most
        most = max(most, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        await trio.sleep(0.001)

    world.disk = slow_disk
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async def body():
        for _ in range(size // len(part)):
            yield part

    answer = await client.post(DIGEST, content=body())
    assert answer.status_code == 201
    assert sum(world.parts) == size
    assert max(world.parts) <= 1 << 20
    assert most - before < 40 * 1024


async def test_a_blob_that_is_there_is_not_read_again(world, client):
    answer = await client.post("/api/blobs/sha256:" + "1" * 64, content=b"x" * (8 << 20))
    assert (answer.status_code, answer.content) == (200, b"")
    assert world.parts == []


async def test_a_body_that_is_too_long_is_refused_and_the_rest_discarded(world, client):
    answer = await client.post("/api/chat", content=b" " * (world.settings.max_request_bytes + 1))
    assert answer.status_code == 413
    assert "too large" in answer.json()["error"]


async def test_a_refusal_does_not_wait_for_a_body_without_end(world, monkeypatch):
    monkeypatch.setattr(connection, "LINGER", 0.05)
    stream = await world.connect()
    head = "POST /nope HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
    await stream.send_all(head.encode())
    assert b"404" in await receive_until(stream, b"404 page not found")
    with trio.fail_after(1):
        assert await stream.receive_some() == b""


async def test_a_body_that_stops_coming_is_a_timeout(world, monkeypatch):
    monkeypatch.setattr(connection, "STALL", 0.05)
    monkeypatch.setattr(connection, "LINGER", 0.05)
    stream = await world.connect()
    await stream.send_all(
        b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
    )
    assert b"HTTP/1.1 408" in await receive_until(stream, b"did not come")


async def test_a_connection_serves_many_requests(world):
    stream = await world.connect()
    for _ in range(3):
        await stream.send_all(b"GET /api/version HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert COMPAT.encode() in await receive_until(stream, b'"}')
    await stream.send_all(post("/api/chat", chat("text")))
    await receive_until(stream, b"0\r\n\r\n")
    await stream.send_all(b"GET /api/version HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await receive_until(stream, b'"}')


@pytest.mark.parametrize("request_", [b"", b"GET /api/version HTTP/1.1\r\nHost: localhost\r\n\r\n"])
async def test_the_shutdown_does_not_wait_for_idle_connections(world, request_):
    stream = await world.connect()
    if request_:
        await stream.send_all(request_)
        await receive_until(stream, b'"}')
    world.shutdown.set()
    with trio.fail_after(0.5):
        await world.ended.wait()


async def test_the_shutdown_is_bounded_with_a_client_that_does_not_read(world):
    stream = await world.connect()
    await stream.send_all(post("/api/generate", chat("endless")))
    await receive_until(stream, b'"response"')
    await trio.testing.wait_all_tasks_blocked(0.1)
    world.shutdown.set()
    with trio.fail_after(1):
        await world.ended.wait()


async def test_a_running_request_may_finish_during_the_shutdown(world):
    stream = await world.connect()
    await stream.send_all(post("/api/chat", chat("text")))
    world.shutdown.set()
    assert b'"done":true' in await receive_until(stream, b"0\r\n\r\n")


async def test_pipelined_requests_are_answered_in_order(world):
    stream = await world.connect()
    await stream.send_all(
        b"GET /api/version HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    )
    answers = await receive_until(stream, b"Ollama is running")
    assert answers.index(COMPAT.encode()) < answers.index(b"Ollama")


@pytest.mark.parametrize(
    "request_", [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", post("/api/chat", chat("text"))]
)
async def test_an_idle_connection_is_closed_after_its_time(make_world, monkeypatch, request_):
    monkeypatch.setattr(server, "KEEP_ALIVE", 0.1)
    async with make_world().running() as world:
        stream = await world.connect()
        await stream.send_all(request_)
        with trio.fail_after(2):
            async for _ in stream:
                pass


async def test_a_client_that_left_is_counted(world, client):
    stream = await world.connect()
    await stream.send_all(post("/api/chat", chat("waits")))
    await world.until(lambda: world.followed == 1)
    await stream.aclose()
    await world.until(lambda: world.left == 1)
    page = (await client.get("/metrics")).text
    assert 'actorllm_requests_total{method="POST",route="/api/chat",status="499"} 1.0' in page


async def test_many_early_leavers_leave_nothing_behind(world):
    for n in range(100):
        stream = await world.connect()
        await stream.send_all(post("/api/chat", chat("endless" if n % 2 else "waits")))
        if n % 2:
            await receive_until(stream, b"data" if n < 0 else b'"message"')
        else:
            await world.until(lambda n=n: world.followed == n + 1)
        await stream.aclose()
    await world.until(lambda: world.left == world.followed)
