"""The server itself, with the smallest of applications."""

import socket
from functools import partial

import pytest
import structlog
import trio
import trio.testing

from actorllm.actors.edge.hangups import Hangups
from actorllm.actors.edge.server import listen, serve
from actorllm.protocol.asgi import BODY

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    )
    with trio.CancelScope(shield=True):
        await send({"type": "http.response.body", "body": b"hi", "more_body": False})


@pytest.fixture
async def sock():
    with listen("127.0.0.1", 0) as bound:
        yield bound


async def ask(sock, request=GET, until=b"hi"):
    stream = await trio.open_tcp_stream(*sock.getsockname())
    async with stream:
        await stream.send_all(request)
        got = b""
        with trio.fail_after(5):
            while not (until and got.endswith(until)):
                part = await stream.receive_some()
                if not part:
                    break
                got += part
    return got


async def test_a_free_port_is_chosen_and_the_write_timeout_is_inherited(sock):
    assert sock.getsockname()[1] > 0
    with socket.create_connection(sock.getsockname()):
        accepted, _ = sock.accept()
        with accepted:
            timeout = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert timeout == 30_000


def test_an_address_in_use_is_an_error(tmp_path):
    with listen("127.0.0.1", 0) as first, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", first.getsockname()[1])


async def test_the_socket_outlives_the_server(sock, nursery):
    log = structlog.get_logger("actorllm")
    for _ in range(2):
        shutdown = trio.Event()
        await nursery.start(partial(serve, app, [sock], shutdown=shutdown, log=log))
        assert (await ask(sock)).endswith(b"hi")
        shutdown.set()
    with socket.create_connection(sock.getsockname()):
        pass


async def test_a_cancelled_server_ends_at_once(sock):
    log = structlog.get_logger("actorllm")
    run = partial(serve, app, [sock], shutdown=trio.Event(), log=log)
    with trio.fail_after(2):
        async with (
            trio.open_nursery() as nursery,
            await trio.open_tcp_stream(*sock.getsockname()) as stream,
        ):
            await nursery.start(run)
            await stream.send_all(GET)
            await stream.receive_some()
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GARBAGE\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.0\r\n\r\n", b"200"),
    ],
)
async def test_broken_requests_are_refused(sock, nursery, request_, status):
    shutdown = trio.Event()
    log = structlog.get_logger("actorllm")
    await nursery.start(partial(serve, app, [sock], shutdown=shutdown, log=log))
    assert (await ask(sock, request_)).startswith(b"HTTP/1.1 " + status)
    shutdown.set()


def test_a_peer_that_has_gone_is_told_once_even_with_unread_bytes():
    here, there = socket.socketpair()
    told = []
    hangups = Hangups()
    with here, hangups.watch(here.fileno(), lambda: told.append(1)):
        there.sendall(b"unread")
        hangups.look()
        assert told == []
        there.close()
        hangups.look()
        hangups.look()
    assert told == [1]


def test_a_number_that_was_reused_is_not_forgotten_with_its_former_socket():
    here, there = socket.socketpair()
    told = []
    hangups = Hangups()
    with here:
        with hangups.watch(here.fileno(), lambda: told.append("old")):
            new = hangups.watch(here.fileno(), lambda: told.append("new"))
            new.__enter__()
        there.close()
        hangups.look()
        new.__exit__(None, None, None)
    assert told == ["new"]


class Poured:
    """An application whose bodies go past ASGI where they can."""

    def __init__(self, parts=(b"one,", b"", b"two")):
        self.parts = parts
        self.waits = trio.Event()
        self.had_outlet = None

    async def __call__(self, scope, receive, send):
        outlet = scope["extensions"].get(BODY)
        self.had_outlet = outlet is not None
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in self.parts if outlet is not None else ():
            if not outlet.credit:
                self.waits.set()
                await outlet.wait_credit()
            outlet.push(part)
        await send({"type": "http.response.body", "body": b"!hi", "more_body": False})


@pytest.fixture
async def poured(sock, nursery):
    app, shutdown = Poured(), trio.Event()
    log = structlog.get_logger("actorllm")
    await nursery.start(partial(serve, app, [sock], shutdown=shutdown, log=log))
    yield app
    shutdown.set()


@pytest.mark.parametrize(
    ("version", "body"),
    [(b"1.1", b"4\r\none,\r\n3\r\ntwo\r\n3\r\n!hi\r\n0\r\n\r\n"), (b"1.0", b"one,two!hi")],
)
async def test_a_body_past_asgi_is_framed_as_its_version_wants(sock, poured, version, body):
    request = b"GET / HTTP/%s\r\nHost: a\r\nConnection: close\r\n\r\n" % version
    answer = await ask(sock, request, until=b"")
    assert answer.partition(b"\r\n\r\n")[2] == body


async def test_an_answer_without_a_body_has_no_way_past_asgi(sock, poured):
    request = b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    answer = await ask(sock, request, until=b"")
    assert answer.endswith(b"\r\n\r\n")
    assert poured.had_outlet is False


async def test_a_connection_goes_on_after_a_body_past_asgi(sock, poured):
    async with await trio.open_tcp_stream(*sock.getsockname()) as stream:
        for _ in range(2):
            await stream.send_all(GET)
            got = b""
            with trio.fail_after(5):
                while not got.endswith(b"0\r\n\r\n"):
                    got += await stream.receive_some()
            assert b"one," in got


async def test_what_a_slow_reader_did_not_take_at_once_comes_in_order(sock, poured):
    poured.parts = [bytes([65 + n % 26]) * 50_000 for n in range(400)]
    async with await trio.open_tcp_stream(*sock.getsockname()) as stream:
        await stream.send_all(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        with trio.fail_after(5):
            await poured.waits.wait()
            await trio.testing.wait_all_tasks_blocked(0.05)
        got = b""
        with trio.fail_after(10):
            async for part in stream:
                got += part
    assert got.partition(b"\r\n\r\n")[2] == b"".join(poured.parts) + b"!hi"
