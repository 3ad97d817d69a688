"""The server itself, with the smallest of applications."""

import socket
from functools import partial

import pytest
import structlog
import trio

from actorllm.actors.edge.hangups import Hangups
from actorllm.actors.edge.server import listen, serve

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


async def ask(sock, request=GET):
    stream = await trio.open_tcp_stream(*sock.getsockname())
    async with stream:
        await stream.send_all(request)
        got = b""
        with trio.fail_after(5):
            while not got.endswith(b"hi"):
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
