"""The HTTP client of the commands: requests, streams of JSON lines, uploads of blobs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import attrs
import click
import httpx

from actorllm.cli.errors import Failure, NoApi, NotFound
from actorllm.cli.text import one_line
from actorllm.cli.wire import Json, body_error, json_object
from actorllm.protocol.address import Address
from actorllm.protocol.version import package_version

__all__ = ["Client", "failure"]

MAX_BODY = 256 * 1024 * 1024
"""Largest answer that is read, in bytes: `show --verbose` of a large vocabulary fits."""

MAX_LINE = 16 * 1024 * 1024
"""Longest line of a stream, in bytes."""

ANSWER_SECONDS = 60.0
"""How long a server may be silent when it is asked for what it knows already."""

_CONNECT_SECONDS = 5.0
# Loading a model and generating take as long as they take; Ctrl-C is the limit.
_PATIENT = httpx.Timeout(None, connect=_CONNECT_SECONDS)


@attrs.frozen
class Client:
    """Talks to one server. Every error is a `Failure` with one line of text."""

    address: Address
    _http: httpx.Client = attrs.field(init=False)

    @_http.default
    def _make_http(self) -> httpx.Client:
        return httpx.Client(
            base_url=self.address.url,
            headers={"User-Agent": f"actorllm/{package_version()}"},
            timeout=_PATIENT,
            verify=self.address.scheme == "https",  # certificates take their time to load
            trust_env=not self.address.is_local,  # a proxy does not reach our loopback
        )

    def close(self) -> None:
        """Drop the connections."""
        self._http.close()

    def get(self, path: str) -> Json:
        """GET a JSON object, which must come soon."""
        return self._request("GET", path, timeout=_soon())

    def show(self, model: str, *, verbose: bool = False) -> Json:
        """Return what `/api/show` says about a model.

        Args:
            model: Its name.
            verbose: With all metadata and tensors.

        Raises:
            NotFound: It is not here.
        """
        body = {"model": model} | ({"verbose": True} if verbose else {})
        return self._request("POST", "/api/show", body, timeout=_soon())

    def post(self, path: str, body: Json) -> Json:
        """POST a JSON object and return the answer, `{}` if it has no body."""
        return self._request("POST", path, body)

    def delete(self, path: str, body: Json) -> Json:
        """DELETE with a JSON object."""
        return self._request("DELETE", path, body)

    @contextmanager
    def stream(self, path: str, body: Json) -> Iterator[Iterator[Json]]:
        """POST a JSON object; iterate over the JSON lines of the answer.

        Leaving the block early drops the connection, which cancels the work on the server.
        """
        with self._errors(), self._http.stream("POST", path, json=body) as answer:
            if answer.is_error:
                raise failure(answer, _body(answer))
            _say_notices(answer)
            yield (_checked(line) for line in _lines(answer))

    def has_blob(self, digest: str) -> bool:
        """Say whether the server has a blob already."""
        with self._errors():
            answer = self._http.head(f"/api/blobs/{digest}")
        if answer.status_code not in (200, 404):
            raise failure(answer, b"")
        return answer.status_code == 200

    def adopt_blob(self, digest: str, name: str) -> bool:
        """Let the server take a file of its own folder as a blob; False: it does not."""
        with self._errors():
            answer = self._http.post(f"/api/blobs/{digest}", params={"adopt": name})
        return answer.is_success

    def upload_blob(self, digest: str, chunks: Iterator[bytes], size: int) -> None:
        """POST a blob of `size` bytes piece by piece."""
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        with self._errors():
            answer = self._http.post(f"/api/blobs/{digest}", content=chunks, headers=headers)
        if answer.is_error:
            raise failure(answer, answer.content)

    @contextmanager
    def download(
        self, path: str, params: Mapping[str, str | list[str]]
    ) -> Iterator[tuple[int, Iterator[bytes]]]:
        """GET a file; iterate over its bytes. Its size is known beforehand."""
        with self._errors(), self._http.stream("GET", path, params=params) as answer:
            if answer.is_error:
                raise failure(answer, _body(answer))
            size = answer.headers.get("Content-Length", "")
            yield int(size) if size.isdigit() else 0, answer.iter_bytes()

    def send(
        self,
        path: str,
        params: Mapping[str, str | list[str]],
        chunks: Iterator[bytes],
        size: int | None,
    ) -> Json:
        """POST a file piece by piece, and return the answer."""
        headers = {"Content-Type": "application/x-tar"}
        if size is not None:
            headers["Content-Length"] = str(size)
        with self._errors():
            answer = self._http.post(path, params=params, content=chunks, headers=headers)
        if answer.is_error:
            raise failure(answer, answer.content)
        return json_object(answer.content)

    def _request(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        timeout: httpx.Timeout = _PATIENT,
    ) -> Json:
        with (
            self._errors(),
            self._http.stream(method, path, json=body, timeout=timeout) as answer,
        ):
            content = _body(answer)
        if answer.is_error:
            raise failure(answer, content)
        return json_object(content) if content.strip() else {}

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as e:
            raise Failure(
                f"no server answers at {self.address.url}; start one with `actorllm serve` "
                "or set ACTORLLM_HOST"
            ) from e
        except httpx.ReadTimeout as e:
            raise NoApi(
                f"{self.address.url} takes connections but said nothing for {ANSWER_SECONDS:g} s"
            ) from e
        except UnicodeEncodeError as e:
            raise Failure("an argument holds bytes that are no text in UTF-8") from e
        except httpx.HTTPError as e:
            reason = one_line(str(e)) or type(e).__name__
            raise Failure(f"the connection to {self.address.url} broke: {reason}") from e


def _body(answer: httpx.Response) -> bytes:
    content = bytearray()
    for chunk in answer.iter_bytes():
        content += chunk
        if len(content) > MAX_BODY:
            raise Failure(f"the server's answer is longer than {MAX_BODY} bytes")
    return bytes(content)


def _lines(answer: httpx.Response) -> Iterator[bytes]:
    rest = b""
    for chunk in answer.iter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        yield from filter(bytes.strip, lines)
        if len(rest) > MAX_LINE:
            raise Failure(f"a line of the server's answer is longer than {MAX_LINE} bytes")
    if rest.strip():
        yield rest


def _checked(line: bytes) -> Json:
    item = json_object(line)
    error = item.get("error")
    if error:
        raise Failure(one_line(str(error)))
    return item


def _say_notices(answer: httpx.Response) -> None:
    """Tell the user what the server had to degrade before it began to answer."""
    notice = answer.headers.get("Actorllm-Notice", "")
    if notice:
        click.echo(f"actorllm: {one_line(notice)}", err=True)


def failure(answer: httpx.Response, content: bytes) -> Failure:
    """Return what an answer with an error status means."""
    line = one_line(body_error(content))
    if line:
        return (NotFound if answer.status_code == 404 else Failure)(line)
    said = f"{answer.status_code} {answer.reason_phrase}".strip()
    return NoApi(f"{answer.url} answered {said}")


def _soon() -> httpx.Timeout:
    return httpx.Timeout(ANSWER_SECONDS, connect=_CONNECT_SECONDS)
