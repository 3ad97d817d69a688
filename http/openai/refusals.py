"""Refusals as `/v1` says them, and the two moments at which it does."""

from collections.abc import Callable
from typing import TypeVar

from quart import Blueprint
from quart.wrappers import Response
from quart_trio.wrappers import TrioResponse

from actorllm.http import errors
from actorllm.http.edge import Edge, read_body
from actorllm.http.stream import log_crash
from actorllm.protocol.errors import Problem, Refused

__all__ = ["PLAIN_JSON", "Unreadable", "body_of", "install", "is_cloud", "read", "refusal"]

PLAIN_JSON = "application/json"
_KINDS = {400: "invalid_request_error", 404: "not_found_error"}

B = TypeVar("B")
R = TypeVar("R")


class Unreadable(Refused):
    """The request could not be read; answers to it name a charset, later ones do not."""


async def read(cls: type[B], translate: Callable[[B], R], limit: int) -> tuple[B, R]:
    """Read the current request's body and translate it.

    Raises:
        Unreadable: It cannot be done.
    """
    try:
        body = await read_body(cls, limit, empty="EOF")
        return body, translate(body)
    except Refused as e:
        raise Unreadable(e.problem) from None


def is_cloud(problem: Problem) -> bool:
    """Tell whether a refusal is about a model elsewhere: these have the form of `/api`."""
    return problem.status == 403 and "cloud" in problem.text


def body_of(problem: Problem) -> dict[str, object]:
    """Return the JSON of a refusal."""
    kind = _KINDS.get(problem.status, "api_error")
    return {"error": {"message": problem.text, "type": kind, "param": None, "code": None}}


def refusal(problem: Problem, *, content_type: str = PLAIN_JSON) -> TrioResponse:
    """Answer with an error of OpenAI's form."""
    if is_cloud(problem):
        return errors.refusal(problem)
    return errors.json_response(
        body_of(problem),
        problem.status,
        content_type=content_type,
        retry_after=problem.retry_after,
    )


def install(api: Blueprint, edge: Edge, refuse: Callable[..., TrioResponse] = refusal) -> None:
    """Let the routes of a blueprint answer in their dialect, whatever goes wrong."""

    async def failed(error: Exception) -> Response:
        if not errors.is_expected(error):
            log_crash(edge.log, error)
        early = isinstance(error, Unreadable)
        content_type = errors.JSON if early else PLAIN_JSON
        return refuse(errors.problem_of(error), content_type=content_type)

    api.register_error_handler(Exception, failed)
