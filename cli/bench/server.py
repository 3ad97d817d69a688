"""The connection to a server that is measured."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from time import perf_counter
from typing import Self

import attrs
import httpx

from actorllm.cli.bench.dialects import DIALECTS, Api, Call, Dialect
from actorllm.cli.bench.identity import Identity, choose, of_listed, of_ollama
from actorllm.cli.bench.prompts import Ruler
from actorllm.cli.bench.traces import Recording
from actorllm.cli.client import failure
from actorllm.cli.errors import Failure, NoApi, NotFound
from actorllm.cli.text import one_line
from actorllm.cli.wire import Json, json_object
from actorllm.protocol.version import package_version

__all__ = ["MAX_ANSWER", "Server", "opened"]

MAX_ANSWER = 64 * 1024 * 1024
"""Longest answer that is kept, in bytes."""

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 600.0
"""How long a server may send nothing: it may load a large model, and a long prompt."""


@attrs.frozen(kw_only=True)
class Server:
    """A server with the model that it is measured with. Every error is a `Failure` of one line."""

    url: str
    dialect: Dialect
    version: str
    identity: Identity
    ruler: Ruler = attrs.field(factory=Ruler)
    _http: httpx.AsyncClient

    def with_ruler(self, ruler: Ruler) -> Self:
        """Return the same server, whose prompts can be made to measure."""
        return attrs.evolve(self, ruler=ruler)

    @property
    def model(self) -> str:
        return self.identity.name

    async def post(self, call: Call) -> Json:
        """Post a request and decode the answer."""
        with _errors(self.url):
            return json_object(await _body(self._http, "POST", call.path, call.body))

    async def record(
        self, call: Call, recording: Recording, heard: Callable[[], None] = lambda: None
    ) -> Recording:
        """Post a request and record the stream of its answer.

        Args:
            call: The request.
            recording: Filled as the answer comes, so that it can be looked at meanwhile.
            heard: Called after each chunk.
        """
        recording.sent = perf_counter()
        with _errors(self.url):
            async with self._http.stream("POST", call.path, json=call.body) as answer:
                if answer.is_error:
                    raise _failure(answer, await _limited(answer))
                async for chunk in answer.aiter_raw():
                    recording.add(perf_counter(), chunk)
                    if recording.size > MAX_ANSWER:
                        raise Failure(f"an answer of {self.url} is longer than {MAX_ANSWER} bytes")
                    heard()
        recording.ended = perf_counter()
        return recording


@asynccontextmanager
async def opened(url: str, api: Api | None, model: str) -> AsyncIterator[Server]:
    """Connect to a server and find out what it is and which model it has.

    Args:
        url: Its base, without `/v1` or `/api`.
        api: How it is spoken to; None finds out.
        model: A name; empty takes the only one that it has.
    """
    http = httpx.AsyncClient(
        base_url=url,
        headers={"User-Agent": f"actorllm/{package_version()}", "Accept-Encoding": "identity"},
        timeout=httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=None),
        verify=url.startswith("https:"),  # certificates take their time to load
        trust_env=False,  # a proxy on the way would be measured, too
    )
    async with http:
        with _errors(url):
            version = await _version(http)
            api = api or ("ollama" if version else "openai")
            # What speaks both tells more of its models through Ollama's.
            look = _look_at_ollama if version or api == "ollama" else _look_at_openai
            identity = await look(http, url, model)
        yield Server(url=url, dialect=DIALECTS[api], version=version, identity=identity, http=http)


async def _version(http: httpx.AsyncClient) -> str:
    """Return what a server of Ollama's API says of itself, empty if it is none."""
    try:
        return str(json_object(await _body(http, "GET", "/api/version")).get("version") or "")
    except Failure:  # 404, or a page for people
        return ""


async def _look_at_ollama(http: httpx.AsyncClient, url: str, model: str) -> Identity:
    tags = json_object(await _body(http, "GET", "/api/tags"))
    listed = choose(model, _entries(tags.get("models")), "name", url)
    shown = await _body(http, "POST", "/api/show", {"model": listed.get("name")})
    return of_ollama(listed, json_object(shown))


async def _look_at_openai(http: httpx.AsyncClient, url: str, model: str) -> Identity:
    try:
        answer = json_object(await _body(http, "GET", "/v1/models"))
    except (NotFound, NoApi) as e:
        raise Failure(f"{url} speaks neither the Ollama nor the OpenAI API") from e
    return of_listed(choose(model, _entries(answer.get("data")), "id", url))


def _entries(value: object) -> Sequence[Json]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


async def _body(http: httpx.AsyncClient, method: str, path: str, body: Json | None = None) -> bytes:
    async with http.stream(method, path, json=body) as answer:
        content = await _limited(answer)
    if answer.is_error:
        raise _failure(answer, content)
    return content


def _failure(answer: httpx.Response, content: bytes) -> Failure:
    return failure(str(answer.url), answer.status_code, answer.reason_phrase, content)


async def _limited(answer: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in answer.aiter_raw():
        content += chunk
        if len(content) > MAX_ANSWER:
            raise Failure(f"an answer is longer than {MAX_ANSWER} bytes")
    return bytes(content)


@contextmanager
def _errors(url: str) -> Iterator[None]:
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as e:
        raise Failure(f"no server answers at {url}") from e
    except httpx.ReadTimeout as e:
        raise Failure(f"{url} sent nothing for {SILENCE_SECONDS:.0f} s") from e
    except httpx.HTTPError as e:
        reason = one_line(str(e)) or type(e).__name__
        raise Failure(f"the connection to {url} broke: {reason}") from e
