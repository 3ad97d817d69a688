"""What goes wrong, as answers: exceptions to problems, problems to the bodies of each dialect."""

from collections.abc import Iterator

from quart_trio.wrappers import TrioResponse

from actorllm.actors.kernel.errors import ActorDied, AskTimeout, MailboxFull
from actorllm.http.connection import BodyStalled, BodyTooLarge
from actorllm.protocol.errors import Problem, Refused
from actorllm.protocol.gojson import dumps

__all__ = [
    "JSON",
    "NOTICE",
    "PLAIN_JSON",
    "is_expected",
    "json_response",
    "problem_of",
    "refusal",
    "sizes",
]

JSON = "application/json; charset=utf-8"
PLAIN_JSON = "application/json"
NOTICE = "Actorllm-Notice"
"""Header of what was degraded, as far as it is known when an answer begins."""

_EXPECTED = (Refused, BodyTooLarge, BodyStalled, MailboxFull, AskTimeout, ActorDied)

_BUSY = "server busy, please try again"
_CRASHED = "internal server error; the server's log says more"
_RETRY = 1


def problem_of(error: BaseException) -> Problem:
    """Say in one line, and with a status, what went wrong. Never says more than a client may know."""
    for e in _leaves(error):
        if isinstance(e, Refused):
            return e.problem
        if isinstance(e, BodyTooLarge):
            return Problem(413, "the request body is too large")
        if isinstance(e, BodyStalled):
            return Problem(408, "the rest of the request body did not come")
        if isinstance(e, MailboxFull):
            return Problem(503, _BUSY, _RETRY)
        if isinstance(e, AskTimeout):
            return Problem(503, "the server did not answer in time, please try again", _RETRY)
        if isinstance(e, ActorDied) and e.exit.is_failure:
            return Problem(500, _CRASHED)
        if isinstance(e, ActorDied):
            return Problem(503, "a part of the server is being restarted, please try again", _RETRY)
    return Problem(500, _CRASHED)


def is_expected(error: BaseException) -> bool:
    """Tell whether an error needs no trace in the log."""
    return all(isinstance(e, _EXPECTED) for e in _leaves(error))


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def json_response(
    value: object, status: int = 200, *, content_type: str = JSON, retry_after: int | None = None
) -> TrioResponse:
    """Make a response of JSON."""
    response = TrioResponse(dumps(value), status=status, content_type=content_type)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def sizes(problem: Problem) -> dict[str, int]:
    """Tell by how much a prompt is too long, where that is the problem."""
    return {"n_prompt": problem.n_prompt, "n_ctx": problem.n_ctx} if problem.n_ctx else {}


def refusal(problem: Problem, *, content_type: str = JSON) -> TrioResponse:
    """Answer in the dialect of `/api`, whose clients know one key: the sizes are in a header."""
    response = json_response(
        {"error": problem.text},
        problem.status,
        content_type=content_type,
        retry_after=problem.retry_after,
    )
    told = ", ".join(f"{name}: {size}" for name, size in sizes(problem).items())
    if told:
        response.headers[NOTICE] = told
    return response
