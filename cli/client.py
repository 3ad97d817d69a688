"""The HTTP client of the commands: requests, streams of JSON lines, uploads of blobs."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from urllib.parse import urlencode

import attrs
import click

from actorllm.cli.connection import Answer, Body, Broken, Silent, Unreachable, requested
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

_NO_TEXT = "an argument holds bytes that are no text in UTF-8"
_TAKES_JSON = {"Content-Type": "application/json"}

Headers = Mapping[str, str]
Params = Mapping[str, str | list[str]]


@attrs.frozen
class Client:
    """Talks to one server. Every error is a `Failure` with one line of text."""

    address: Address

    def get(self, path: str) -> Json:
        """GET a JSON object, which must come soon."""
        return self._request("GET", path, seconds=ANSWER_SECONDS)

    def show(self, model: str, *, verbose: bool = False) -> Json:
        """Return what `/api/show` says about a model.

        Args:
            model: Its name.
            verbose: With all metadata and tensors.

        Raises:
            NotFound: It is not here.
        """
        body = {"model": model} | ({"verbose": True} if verbose else {})
        return self._request("POST", "/api/show", body, seconds=ANSWER_SECONDS)

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
        with self._asked("POST", path, _TAKES_JSON, _encoded(body)) as answer:
            _say_notices(answer)
            yield (_checked(line) for line in _lines(answer))

    def has_blob(self, digest: str) -> bool:
        """Say whether the server has a blob already."""
        with self._asked("HEAD", f"/api/blobs/{digest}", may_fail=True) as answer:
            if answer.status not in (200, 404):
                raise _failure(answer)
            return answer.status == 200

    def adopt_blob(self, digest: str, name: str) -> bool:
        """Let the server take a file of its own folder as a blob; False: it does not."""
        path = _with(f"/api/blobs/{digest}", {"adopt": name})
        with self._asked("POST", path, may_fail=True) as answer:
            return answer.is_success

    def upload_blob(self, digest: str, chunks: Iterator[bytes], size: int) -> None:
        """POST a blob of `size` bytes piece by piece."""
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        with self._asked("POST", f"/api/blobs/{digest}", headers, chunks):
            pass

    @contextmanager
    def download(self, path: str, params: Params) -> Iterator[tuple[int, Iterator[bytes]]]:
        """GET a file; iterate over its bytes. Its size is known beforehand."""
        with self._asked("GET", _with(path, params)) as answer:
            size = answer.header("Content-Length")
            yield int(size) if size.isdigit() else 0, answer.pieces()

    def send(self, path: str, params: Params, chunks: Iterator[bytes], size: int | None) -> Json:
        """POST a file piece by piece, and return the answer."""
        headers = {"Content-Type": "application/x-tar"}
        if size is not None:
            headers["Content-Length"] = str(size)
        with self._asked("POST", _with(path, params), headers, chunks) as answer:
            return json_object(_body(answer))

    def _request(
        self, method: str, path: str, body: Json | None = None, *, seconds: float | None = None
    ) -> Json:
        headers, data = ({}, b"") if body is None else (_TAKES_JSON, _encoded(body))
        with self._asked(method, path, headers, data, seconds=seconds) as answer:
            content = _body(answer)
        return json_object(content) if content.strip() else {}

    @contextmanager
    def _asked(
        self,
        method: str,
        target: str,
        headers: Headers = MappingProxyType({}),
        body: Body = b"",
        *,
        seconds: float | None = None,
        may_fail: bool = False,
    ) -> Iterator[Answer]:
        """Ask for what must succeed, unless it may fail."""
        url = self.address.url
        said = {"User-Agent": f"actorllm/{package_version()}", **headers}
        try:
            with requested(self.address, method, target, said, body, seconds=seconds) as answer:
                if not (may_fail or answer.is_success):
                    raise _failure(answer)
                yield answer
        except Unreachable as e:
            raise Failure(
                str(e)
                or f"no server answers at {url}; start one with `actorllm serve` or set ACTORLLM_HOST"
            ) from e
        except Silent as e:
            raise NoApi(f"{url} takes connections but said nothing for {ANSWER_SECONDS:g} s") from e
        except Broken as e:
            raise Failure(f"the connection to {url} broke: {one_line(str(e))}") from e


def _body(answer: Answer) -> bytes:
    content = bytearray()
    for chunk in answer.pieces():
        content += chunk
        if len(content) > MAX_BODY:
            raise Failure(f"the server's answer is longer than {MAX_BODY} bytes")
    return bytes(content)


def _lines(answer: Answer) -> Iterator[bytes]:
    rest = b""
    for chunk in answer.pieces():
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


def _say_notices(answer: Answer) -> None:
    """Tell the user what the server had to degrade before it began to answer."""
    notice = answer.header("Actorllm-Notice")
    if notice:
        click.echo(f"actorllm: {one_line(notice)}", err=True)


def _failure(answer: Answer) -> Failure:
    return failure(answer.url, answer.status, answer.reason, _body(answer))


def failure(url: str, status: int, reason: str, content: bytes) -> Failure:
    """Return what an answer without success means."""
    line = one_line(body_error(content))
    if line:
        return (NotFound if status == 404 else Failure)(line)
    return NoApi(f"{url} answered {status} {one_line(reason)}".rstrip())


def _encoded(body: Json) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as e:
        raise Failure(_NO_TEXT) from e


def _with(path: str, params: Params) -> str:
    try:
        query = urlencode(params, doseq=True)
    except UnicodeEncodeError as e:
        raise Failure(_NO_TEXT) from e
    return f"{path}?{query}" if query else path
