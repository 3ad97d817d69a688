"""What all of `/v1` shares: reading a request, and refusing it in the caller's dialect.

Answers to requests that could not be read name a charset, later ones do not: clients have seen it so.
"""

import re
from collections.abc import Callable
from typing import Protocol, TypeVar

from quart import Blueprint
from quart.wrappers import Response
from quart_trio.wrappers import TrioResponse

from actorllm.http import errors
from actorllm.http.edge import Edge, read_body
from actorllm.http.errors import PLAIN_JSON
from actorllm.http.stream import log_crash
from actorllm.protocol.errors import Problem, Refused
from actorllm.protocol.gojson import JsonError, loads
from actorllm.protocol.names import CLOUD_MODEL, parse_name, parse_ref

__all__ = ["PLAIN_JSON", "Refuse", "Unreadable", "install", "read", "refuse_with"]

_CLOUD = re.compile(rb"cloud", re.IGNORECASE)

B = TypeVar("B")
R = TypeVar("R")


class Refuse(Protocol):
    """Answers with a problem in a dialect."""

    def __call__(self, problem: Problem, *, content_type: str = PLAIN_JSON) -> TrioResponse: ...


class Unreadable(Refused):
    """The request could not be read."""


async def read(cls: type[B], translate: Callable[[B], R], limit: int) -> tuple[B, R]:
    """Read the current request's body and translate it.

    Raises:
        Unreadable: It cannot be done.
    """
    try:
        body = await read_body(cls, limit, empty="EOF", compressed=True, check=_refuse_elsewhere)
        return body, translate(body)
    except Refused as e:
        raise Unreadable(e.problem) from None


def _refuse_elsewhere(data: bytes) -> None:
    """Refuse a model on another machine before anything else that could be wrong with a body."""
    if _CLOUD.search(data) is None:
        return
    try:
        body = loads(data, literals=True)
        model = body.get("model") if isinstance(body, dict) else None
        wanted = parse_ref(model if isinstance(model, str) else "")
    except (Refused, JsonError):
        return  # others say better what is wrong
    if wanted.is_cloud and parse_name(wanted.base).is_valid:
        raise Refused.because(403, CLOUD_MODEL)


def refuse_with(body_of: Callable[[Problem], dict[str, object]]) -> Refuse:
    """Make the refusals of a dialect from the JSON that it says."""

    def refuse(problem: Problem, *, content_type: str = PLAIN_JSON) -> TrioResponse:
        if problem.status == 403 and "cloud" in problem.text:
            return errors.refusal(problem)  # models elsewhere are refused as `/api` does
        return errors.json_response(
            body_of(problem),
            problem.status,
            content_type=content_type,
            retry_after=problem.retry_after,
        )

    return refuse


def install(api: Blueprint, edge: Edge, refuse: Refuse) -> None:
    """Let the routes of a blueprint answer in their dialect, whatever goes wrong."""

    async def failed(error: Exception) -> Response:
        if not errors.is_expected(error):
            log_crash(edge.log, error)
        content_type = errors.JSON if isinstance(error, Unreadable) else PLAIN_JSON
        return refuse(errors.problem_of(error), content_type=content_type)

    api.register_error_handler(Exception, failed)
