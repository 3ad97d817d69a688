"""The CLI's own way to speak HTTP, with a server that does what the test says."""

import socket
import threading
from contextlib import contextmanager

import pytest

from actorllm.cli.connection import Broken, Silent, Unreachable, requested
from actorllm.protocol.address import Address

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class Peer:
    """Takes one connection, reads up to a mark, and answers."""

    def __init__(self, mark, answer):
        self._mark, self._answer = mark, answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.heard = b""
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        connection, _ = self._socket.accept()
        with connection:
            while self._mark not in self.heard:
                self.heard += connection.recv(65536)
            connection.sendall(self._answer)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._thread.join(20)
        self._socket.close()


@contextmanager
def asked(peer, target="/x", headers=None, body=b"", method="POST", address=None):
    address = address or Address("127.0.0.1", peer.port)
    with requested(address, method, target, headers or {}, body, seconds=20) as answer:
        yield answer


def read(answer):
    return b"".join(answer.pieces())


def test_a_body_of_unknown_length_goes_in_chunks():
    with (
        Peer(b"0\r\n\r\n", OK) as peer,
        asked(peer, body=iter([b"ab", b"", b"c" * 17])) as answer,
    ):
        assert (answer.status, answer.reason, read(answer)) == (200, "OK", b"hi")
    head, _, body = peer.heard.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    assert b"Content-Length" not in head
    assert body == b"2\r\nab\r\n11\r\n" + b"c" * 17 + b"\r\n0\r\n\r\n"


def test_a_body_of_known_length_goes_as_it_is():
    length = {"Content-Length": "3"}
    with Peer(b"abc", OK) as peer, asked(peer, headers=length, body=iter([b"ab", b"c"])):
        pass
    assert peer.heard.endswith(b"\r\n\r\nabc")
    assert b"chunked" not in peer.heard


@pytest.mark.parametrize(("method", "length"), [("POST", True), ("GET", False), ("HEAD", False)])
def test_only_what_may_have_a_body_says_that_it_is_empty(method, length):
    with Peer(b"\r\n\r\n", OK) as peer, asked(peer, method=method):
        pass
    assert (b"Content-Length: 0" in peer.heard) is length
    assert b"Connection: close" in peer.heard


def test_errors_of_the_body_are_not_those_of_the_connection():
    def pieces():
        yield b"a"
        raise BrokenPipeError("mine")

    with (
        pytest.raises(BrokenPipeError, match="mine"),
        Peer(b"a\r\n", b"") as peer,
        asked(peer, body=pieces()),
    ):
        pass


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
    ],
)
def test_an_answer_that_is_cut_or_none_is_a_broken_connection(answer):
    with (
        Peer(b"\r\n\r\n", answer) as peer,
        pytest.raises(Broken) as broken,
        asked(peer, method="GET") as got,
    ):
        read(got)
    assert str(broken.value)
    assert "IncompleteRead" not in str(broken.value)


def test_a_server_that_says_nothing_is_silent():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = Address("127.0.0.1", silent.getsockname()[1])
        with (
            pytest.raises(Silent),
            requested(address, "GET", "/", {}, seconds=0.05),
        ):
            pass


@pytest.mark.parametrize("name", ["a..b", "a" * 70 + ".example", "xn--\udcff"])
def test_a_name_that_is_none_is_unreachable(name, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(Unreachable), requested(Address(name, 1), "GET", "/", {}, seconds=1):
        pass


def through(monkeypatch, proxy):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("all_proxy", proxy)
    return Address("models.example", 8080, path="/a b")


def test_a_proxy_gets_the_whole_address(monkeypatch):
    with Peer(b"\r\n\r\n", OK) as peer:
        far = through(monkeypatch, f"http://me:p%40ss@127.0.0.1:{peer.port}")
        with asked(peer, "/api/ps?x=1", method="GET", address=far) as answer:
            assert read(answer) == b"hi"
            assert answer.url == "http://models.example:8080/a b/api/ps"
    lines = peer.heard.split(b"\r\n")
    assert lines[0] == b"GET http://models.example:8080/a%20b/api/ps?x=1 HTTP/1.1"
    assert b"Host: models.example:8080" in lines
    assert b"Proxy-Authorization: Basic bWU6cEBzcw==" in lines


def test_a_proxy_makes_a_tunnel_for_what_is_encrypted(monkeypatch):
    with Peer(b"\r\n\r\n", b"HTTP/1.1 407 No\r\n\r\n") as peer:
        through(monkeypatch, f"127.0.0.1:{peer.port}")
        far = Address("models.example", 443, "https")
        with pytest.raises(Unreachable), requested(far, "GET", "/", {}, seconds=1):
            pass
    assert peer.heard.startswith(b"CONNECT models.example:443 ")


@pytest.mark.parametrize(
    "proxy", ["socks5://127.0.0.1:1", "http://:80", "http://h:x", "http://a b"]
)
def test_a_proxy_of_another_kind_is_said(monkeypatch, proxy):
    far = through(monkeypatch, proxy)
    with pytest.raises(Unreachable, match="proxy"), requested(far, "GET", "/", {}, seconds=1):
        pass


def test_an_address_of_this_machine_needs_no_proxy(monkeypatch):
    with Peer(b"\r\n\r\n", OK) as peer:
        through(monkeypatch, "http://127.0.0.1:1")
        with asked(peer, method="GET") as answer:
            assert read(answer) == b"hi"


def test_a_server_that_does_not_encrypt_is_there_but_not_understood():
    with Peer(b"\x16", b"HTTP/1.1 400 No\r\n\r\n") as peer:
        plain = Address("127.0.0.1", peer.port, "https")
        with pytest.raises(Broken) as broken, requested(plain, "GET", "/", {}, seconds=1):
            pass
    assert "wrong version number" in str(broken.value)
    assert "_ssl" not in str(broken.value)
