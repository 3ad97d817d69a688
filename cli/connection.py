"""One HTTP request on a connection of its own, with the standard library.

To import a client of the whole of HTTP takes longer than most commands: this one speaks what the
server speaks. What goes wrong with the connection is told apart from what its user does meanwhile.
"""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from ssl import SSLError
from typing import NoReturn
from urllib.parse import SplitResult, quote, unquote, urlsplit

import attrs

from actorllm.protocol.address import Address

__all__ = ["Answer", "Body", "Broken", "Silent", "Unreachable", "requested"]

Headers = dict[str, str]
Body = bytes | Iterator[bytes]
"""Bytes, or pieces of them, whose own errors pass."""

_CONNECT_SECONDS = 5.0
_MOST_AT_ONCE = 256 * 1024
_NO_PROXY = "the proxy that the environment names is none of HTTP, such as http://proxy:3128"
_TOO_SHORT = "it ended within the answer"
_KEPT = "/%!$&'()*+,;=:@~"
"""Characters of a path that stay as they are."""


class Unreachable(Exception):  # noqa: N818 -- says what happened, as those below
    """Nobody took the connection."""


class Silent(Exception):  # noqa: N818
    """The server took the connection and said nothing for too long."""


class Broken(Exception):  # noqa: N818
    """The connection ended early, or what came on it is no HTTP; the text says how."""


@attrs.frozen
class Answer:
    """An answer, as far as its head; the body comes as it is read."""

    url: str
    """What was asked for, without the query."""
    _response: HTTPResponse

    @property
    def status(self) -> int:
        """The status, such as 200."""
        return self._response.status

    @property
    def reason(self) -> str:
        """What stands beside the status."""
        return self._response.reason

    @property
    def is_success(self) -> bool:
        """Whether the request was carried out."""
        return 200 <= self.status < 300

    def header(self, name: str) -> str:
        """Return a header, empty if it is absent."""
        return self._response.getheader(name, "")

    def pieces(self) -> Iterator[bytes]:
        """Read the body, as it comes.

        Raises:
            Silent: Nothing came for too long.
            Broken: It ended early.
        """
        while True:
            try:
                piece = self._response.read1(_MOST_AT_ONCE)
            except (OSError, HTTPException) as e:
                _broken(e)
            if not piece:
                break
            yield piece
        if self._response.length:  # what the head has promised and did not come
            raise Broken(_TOO_SHORT)


@contextmanager
def requested(
    address: Address,
    method: str,
    target: str,
    headers: Headers,
    body: Body = b"",
    *,
    seconds: float | None,
) -> Iterator[Answer]:
    """Send a request; the connection lasts as long as the block.

    Args:
        address: Of the server.
        method: Such as GET.
        target: Path and query, below the address's own path.
        headers: Beside those of the connection.
        body: Goes in chunks if it is none of bytes and no header gives its length.
        seconds: How long the server may be silent; None: as long as it likes.

    Raises:
        Unreachable: Nobody takes the connection.
        Silent: Nothing came for too long.
        Broken: The connection ended early.
    """
    connection, headers, prefix = _connection(address, headers)
    try:
        _connect(connection)
        connection.sock.settimeout(seconds)
        _send(connection, method, prefix + quote(address.path, safe=_KEPT) + target, headers, body)
        try:
            response = connection.getresponse()
        except (OSError, HTTPException) as e:
            _broken(e)
        with response:
            yield Answer(address.url + target.partition("?")[0], response)
    finally:
        connection.close()


def _connection(address: Address, headers: Headers) -> tuple[HTTPConnection, Headers, str]:
    """Make a connection; add what a proxy wants to the headers and, as the last, to the paths."""
    host, secure = urlsplit(address.url).hostname or "", address.scheme == "https"
    kind = HTTPSConnection if secure else HTTPConnection
    proxy = None if address.is_local else _proxy(address.scheme, host)
    if proxy is None:
        return kind(host, address.port, timeout=_CONNECT_SECONDS), headers, ""
    try:
        connection = kind(proxy.hostname or "", proxy.port or 80, timeout=_CONNECT_SECONDS)
    except (ValueError, HTTPException) as e:
        raise Unreachable(_NO_PROXY) from e
    if secure:
        connection.set_tunnel(host, address.port, _credentials(proxy))
        return connection, headers, ""
    return connection, headers | _credentials(proxy), address.url.removesuffix(address.path)


def _proxy(scheme: str, host: str) -> SplitResult | None:
    """Find what the environment sends such requests through."""
    from urllib.request import getproxies, proxy_bypass  # takes its time to import

    if proxy_bypass(host):
        return None
    proxies = getproxies()
    found = proxies.get(scheme) or proxies.get("all")
    if not found:
        return None
    proxy = urlsplit(found if "://" in found else f"http://{found}")
    if proxy.scheme != "http" or not proxy.hostname:
        raise Unreachable(_NO_PROXY)
    return proxy


def _credentials(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    said = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(said.encode()).decode()}"}


def _connect(connection: HTTPConnection) -> None:
    try:
        connection.connect()
    except SSLError as e:  # somebody is there, who is not trusted or speaks plainly
        raise Broken(_said(e)) from e
    except (OSError, UnicodeError) as e:  # a name can be none
        raise Unreachable from e


def _said(error: SSLError) -> str:
    """What OpenSSL says, without its code before and its place behind."""
    return str(error).rpartition("] ")[2].partition(" (_ssl")[0]


def _send(
    connection: HTTPConnection, method: str, target: str, headers: Headers, body: Body
) -> None:
    """Send a request, as far as the server takes it: who takes no more may have answered why."""
    connection.putrequest(method, target, skip_accept_encoding=True)
    for name, value in (headers | _framing(method, headers, body)).items():
        connection.putheader(name, value)
    if not _written(connection.endheaders):
        return
    if isinstance(body, bytes):
        _written(connection.send, body)
        return
    in_chunks = "Content-Length" not in headers
    for piece in body:
        data = b"%x\r\n%b\r\n" % (len(piece), piece) if in_chunks else piece
        if piece and not _written(connection.send, data):
            return
    if in_chunks:
        _written(connection.send, b"0\r\n\r\n")


def _framing(method: str, headers: Headers, body: Body) -> Headers:
    framing = {"Connection": "close"}
    if not isinstance(body, bytes):
        return (
            framing if "Content-Length" in headers else framing | {"Transfer-Encoding": "chunked"}
        )
    return framing | {"Content-Length": str(len(body))} if body or method == "POST" else framing


def _written(write: Callable[..., None], *data: bytes) -> bool:
    try:
        write(*data)
    except TimeoutError as e:
        raise Silent from e
    except OSError:
        return False
    return True


def _broken(error: Exception) -> NoReturn:
    """Say what has become of a connection."""
    if isinstance(error, TimeoutError):
        raise Silent from error
    if isinstance(error, IncompleteRead):
        raise Broken(_TOO_SHORT) from error
    raise Broken(str(error) or type(error).__name__) from error
