"""Connections to registries: TLS verified, proxies of the environment, no private addresses."""

import ssl
import urllib.request
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from functools import cache

import httpcore
import httpx
import trio

from actorllm.actors.downloader.addresses import is_private, is_public, may_connect
from actorllm.protocol.errors import Refused

__all__ = ["UnknownHost", "make_client", "pieces_of"]

_CONNECT_TIMEOUT = 15.0
_ONE_ADDRESS_TIMEOUT = 5.0
"""Seconds for an address when there are others."""

_Options = Iterable[
    tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
]


@cache
def _tls() -> ssl.SSLContext:
    """Certificates are always verified: by certifi's, or those in `SSL_CERT_FILE` or `SSL_CERT_DIR`."""
    return httpx.create_ssl_context()


def make_client(home: str, *, connections: int, stall: float) -> httpx.AsyncClient:
    """Make a client for one registry.

    Args:
        home: The registry's host, without a port. Its address may be anything; other hosts must
            have public addresses unless it has none itself.
        connections: At one time.
        stall: Seconds that a connection may be silent.
    """
    return httpx.AsyncClient(
        transport=_Routes(home, connections),
        timeout=httpx.Timeout(stall, connect=_CONNECT_TIMEOUT, pool=None),
        follow_redirects=False,
        trust_env=False,  # `_Routes` reads the proxies; a .netrc is none of our business
    )


@asynccontextmanager
async def pieces_of(response: httpx.Response) -> AsyncIterator[AsyncIterator[bytes]]:
    """Read a body as it comes; it may be left before its end.

    The body is read through generators of httpx and httpcore, one in another, of which only the
    outermost can be closed from here. So its connection is closed and it is read until it notices.
    """
    pieces = response.aiter_raw()
    try:
        yield pieces
    finally:
        await response.aclose()
        with suppress(Exception):
            while True:
                await anext(pieces)


class UnknownHost(httpcore.ConnectError):
    """No address belongs to a host's name."""


class _Routes(httpx.AsyncBaseTransport):
    """Directly, or by a proxy of the environment."""

    def __init__(self, home: str, connections: int) -> None:
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._home = home.lower()
        self._direct = _direct(home, connections)
        self._proxies = {
            scheme: httpx.AsyncHTTPTransport(verify=_tls(), proxy=url, limits=limits)
            for scheme, url in urllib.request.getproxies_environment().items()
            if scheme in {"http", "https"}
        }

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        proxy = self._proxies.get(request.url.scheme)
        if proxy is None or _is_local(host) or urllib.request.proxy_bypass(host):
            return await self._direct.handle_async_request(request)
        if host != self._home and is_private(host):
            raise _private(host)  # of names, the proxy alone knows the addresses
        return await proxy.handle_async_request(request)

    async def aclose(self) -> None:
        for transport in (self._direct, *self._proxies.values()):
            await transport.aclose()


def _is_local(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")


def _direct(home: str, connections: int) -> httpx.AsyncHTTPTransport:
    transport = httpx.AsyncHTTPTransport(verify=_tls())
    # httpx has no argument for the network below it; `test_client.py` sees that it is used.
    transport._pool = httpcore.AsyncConnectionPool(  # noqa: SLF001
        ssl_context=_tls(), max_connections=connections, network_backend=_Guarded(home)
    )
    return transport


class _Guarded(httpcore.AsyncNetworkBackend):
    """Looks at each address before it connects, so that no name can lead elsewhere in between."""

    def __init__(self, home: str) -> None:
        self._home = home.lower()
        self._below = httpcore.TrioBackend()
        self._home_is_public: bool | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- the interface of httpcore
        local_address: str | None = None,
        socket_options: _Options | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = self._allowed(host, await _resolve(host, port, timeout))
        patience = timeout if len(addresses) == 1 else _ONE_ADDRESS_TIMEOUT
        for i, address in enumerate(addresses):
            try:
                return await self._below.connect_tcp(
                    address, port, patience, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if i + 1 == len(addresses):
                    raise
        raise httpcore.ConnectError(f"{host} has no address")

    def _allowed(self, host: str, addresses: list[str]) -> list[str]:
        if host.lower() == self._home and self._home_is_public is None:
            # Decided once: a name that turns private later is not followed there.
            self._home_is_public = any(map(is_public, addresses))
        public = self._home_is_public is not False
        allowed = [a for a in addresses if may_connect(a, registry_is_public=public)]
        if addresses and not allowed:
            raise _private(host)
        return allowed

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


def _private(host: str) -> Refused:
    return Refused.because(
        403, f"the registry leads to {host}, which is a private address; nothing was sent"
    )


async def _resolve(host: str, port: int, seconds: float | None) -> list[str]:
    with trio.move_on_after(_CONNECT_TIMEOUT if seconds is None else seconds):
        try:
            found = await trio.socket.getaddrinfo(host, port, type=trio.socket.SOCK_STREAM)
        except OSError as e:
            raise UnknownHost(f"{host} cannot be resolved: {e.strerror}") from e
        except (UnicodeError, OverflowError) as e:  # a label of no or too many letters; a port
            raise UnknownHost(f"{host}:{port} is no address") from e
        return list(dict.fromkeys(str(address[0]) for *_, address in found))
    raise httpcore.ConnectTimeout(f"{host} could not be resolved in time")
