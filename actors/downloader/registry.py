"""Requests to one repository: authorization, redirects, and errors in one line."""

import platform
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from types import TracebackType
from typing import Final, Self

import attrs
import httpx

from actorllm.actors.downloader.authority import Authority
from actorllm.actors.downloader.client import UnknownHost, make_client, pieces_of
from actorllm.actors.downloader.handshake import handshake_problem
from actorllm.actors.downloader.origin import Origin
from actorllm.actors.downloader.retry import RETRIED, Policy, retry_after
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import MANIFEST, MAX_MANIFEST
from actorllm.protocol.version import COMPAT, package_version

__all__ = ["Answer", "Body", "Registry", "RegistryError", "check_status", "transport_errors"]

_OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS: Final = 10
_MAX_URL: Final = 8 * 1024
_HINT: Final = "; if it speaks plain HTTP, pull or push with --insecure"
_MAX_REASON: Final = 300
"""Characters of a registry's own words that are passed on."""

Body = Callable[[], httpx.AsyncByteStream]
"""Makes the body of a request; asked again if the request is."""


class RegistryError(Exception):
    """A registry did not do what was asked.

    Args:
        status: Its answer; 0: there was none.
        text: One line.
        asked: Seconds to wait, if it said so.
        final: It will not go better the next time, whatever the status.
    """

    def __init__(
        self, status: int, text: str, asked: float | None = None, *, final: bool = False
    ) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.retry_after = asked
        self._final = final

    @property
    def passes(self) -> bool:
        """Whether it may go better the next time."""
        return not self._final and (self.status == 0 or self.status in RETRIED)

    def refused(self, prefix: str = "") -> Refused:
        """Return the answer for a client."""
        status = self.status if self.status in {401, 403, 404} else 500
        return Refused.because(status, prefix + self.text)


@attrs.frozen
class Answer:
    """A response whose body has not been read, and where it came from."""

    response: httpx.Response
    url: httpx.URL

    @property
    def status(self) -> int:
        return self.response.status_code


class Registry:
    """One repository of a registry; a context manager.

    Args:
        origin: The repository.
        authority: Shared by all that speak to the repository on behalf of one user.
        streams: Connections at one time.
        policy: How patient.
    """

    def __init__(
        self, origin: Origin, authority: Authority, *, streams: int, policy: Policy
    ) -> None:
        self.origin = origin
        self.policy = policy
        self._authority = authority
        self._home = httpx.URL(origin.manifest(""))
        self._client = make_client(self._home.host, connections=streams + 1, stall=policy.stall)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    @asynccontextmanager
    async def ask(
        self,
        method: str,
        url: str | httpx.URL,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        follow: bool = True,
    ) -> AsyncIterator[Answer]:
        """Ask, be let in, follow redirects. Only the repository's own host sees authorization.

        Args:
            method: HTTP's.
            url: Where.
            headers: Further ones. With a body, `Content-Length` is one of them.
            body: What is sent.
            follow: Redirects; else they are answers.

        Raises:
            RegistryError: There was no answer.
            Refused: A redirect or a challenge leads where nothing must be sent.
        """
        target = httpx.URL(url)
        for _ in range(_MAX_REDIRECTS + 1):
            answer = await self._send_in(method, target, headers or {}, body)
            try:
                location = answer.response.headers.get("location")
                if not (follow and answer.status in _REDIRECTS and location):
                    yield answer
                    return
                target = self.redirected(target, location)
            finally:
                await answer.response.aclose()
        raise RegistryError(500, f"{self.origin.host}: more than {_MAX_REDIRECTS} redirects")

    async def _send_in(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], body: Body | None
    ) -> Answer:
        """Send a request, once more if the registry asks who we are."""
        at_home = self.is_home(url)
        used = self._authority.header if at_home else None
        response = await self._send(method, url, headers, body, used)
        challenge = response.headers.get("www-authenticate", "")
        if response.status_code != 401 or not at_home or not challenge:
            return Answer(response, url)
        await response.aclose()
        with transport_errors(self.origin):
            is_in = await self._authority.answer(self._client, challenge, used)
        if not is_in:
            raise _unauthorized()
        response = await self._send(method, url, headers, body, self._authority.header)
        return Answer(response, url)

    async def _send(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        body: Body | None,
        authorization: str | None,
    ) -> httpx.Response:
        every = {"User-Agent": _user_agent(), "Accept-Encoding": "identity", **headers}
        if authorization is not None:
            every["Authorization"] = authorization
        request = self._client.build_request(method, url, headers=every, content=b"")
        if body is not None:
            # As it is: httpx would wrap it into a generator that nobody closes.
            request.stream = body()
        with transport_errors(self.origin):
            return await self._client.send(request, stream=True)

    def is_home(self, url: httpx.URL) -> bool:
        """Tell whether a URL is one of the registry itself."""
        home = self._home
        return (url.scheme, url.netloc) == (home.scheme, home.netloc)

    def redirected(self, url: httpx.URL, location: str) -> httpx.URL:
        """Return where a `Location` leads.

        Raises:
            Refused: It must not be followed: 500.
        """
        try:
            target = url.join(location[: _MAX_URL + 1])
        except httpx.InvalidURL:
            target = httpx.URL("")
        fine = (
            len(location) <= _MAX_URL
            and bool(target.host)
            and not target.userinfo
            and (target.scheme == "https" or (target.scheme == "http" and url.scheme == "http"))
        )
        if not fine:
            raise Refused.because(500, f"{self.origin.host} redirects to where it must not")
        return target

    async def manifest(self, tag: str) -> bytes:
        """Read a manifest, as it is.

        Raises:
            RegistryError: There is none, or it cannot be had.
            Refused: See `ask`.
        """
        accept = f"{MANIFEST}, {_OCI_MANIFEST}"
        return await self.read(self.origin.manifest(tag), accept, MAX_MANIFEST)

    async def read(self, url: str, accept: str, most: int) -> bytes:
        """Read a small answer whole.

        Args:
            url: Where.
            accept: Types that are wanted.
            most: Bytes that it may have.

        Raises:
            RegistryError: There is none, it is larger, or it cannot be had.
            Refused: See `ask`.
        """
        data = bytearray()
        async with self.ask("GET", url, headers={"Accept": accept}) as answer:
            await check_status(answer.response, {200})
            with transport_errors(self.origin):
                async with pieces_of(answer.response) as pieces:
                    async for piece in pieces:
                        data += piece
                        if len(data) > most:
                            raise RegistryError(0, f"more than {most} bytes")
        return bytes(data)


async def check_status(response: httpx.Response, wanted: set[int]) -> None:
    """Raise `RegistryError` with the registry's words for another status than those wanted."""
    status = response.status_code
    if status in wanted:
        return
    if status == 401:
        raise _unauthorized()
    if status == 404:
        raise RegistryError(404, "file does not exist")
    words = bytearray()
    with suppress(httpx.TransportError):
        async with pieces_of(response) as pieces:
            async for piece in pieces:
                words += piece
                if len(words) > _MAX_REASON:
                    break
    said = words.decode("utf-8", errors="replace").split() or response.reason_phrase.split()
    told = f"{status}: {' '.join(said)[:_MAX_REASON] or 'no reason given'}"
    raise RegistryError(status, told, retry_after(response.headers.get("retry-after")))


def _unauthorized() -> RegistryError:
    return RegistryError(401, "unauthorized: access denied")


@contextmanager
def transport_errors(origin: Origin) -> Iterator[None]:
    """Turn failures of a connection into `RegistryError`."""
    try:
        yield
    except httpx.TransportError as e:
        problem = handshake_problem(e)
        if problem is not None:
            raise RegistryError(0, f"{origin.base}: {problem}", final=True) from e
        reached = isinstance(e, httpx.ConnectError) and not isinstance(e.__cause__, UnknownHost)
        hint = _HINT if origin.scheme == "https" and reached else ""
        raise RegistryError(0, f"{origin.base}: {_reason(e)}{hint}") from e


def _reason(error: httpx.TransportError) -> str:
    """Say in one line why there was no answer, without any part of a URL."""
    if isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout):
        return "no bytes for too long"
    if isinstance(error, httpx.ConnectTimeout):
        return "no connection in time"
    return " ".join(str(error).split())[:_MAX_REASON] or type(error).__name__


def _user_agent() -> str:
    # Registries of Ollama's kind serve newer models to clients of newer releases only.
    system = f"{platform.machine()} {platform.system().lower()}"
    return f"ollama/{COMPAT} ({system}) actorllm/{package_version()}"
