"""Refusals in Anthropic's form."""

from actorllm.actors.kernel import trace_id
from actorllm.http.errors import sizes
from actorllm.http.v1 import refuse_with
from actorllm.protocol.errors import Problem

__all__ = ["body_of", "refusal", "request_id"]

_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    529: "overloaded_error",
}


def request_id() -> str:
    """Name the current request: its trace id in the log, in the form that clients know."""
    return f"req_{trace_id.get():0<24}"


def body_of(problem: Problem) -> dict[str, object]:
    """Return the JSON of a refusal."""
    said = {"type": _KINDS.get(problem.status, "api_error"), "message": problem.text}
    return {"type": "error", "error": said | sizes(problem), "request_id": request_id()}


refusal = refuse_with(body_of)
"""Answer with a problem."""
