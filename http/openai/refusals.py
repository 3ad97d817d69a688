"""Refusals in OpenAI's form."""

from actorllm.http.errors import sizes
from actorllm.http.v1 import refuse_with
from actorllm.protocol.errors import Problem

__all__ = ["body_of", "refusal"]

_KINDS = {400: "invalid_request_error", 404: "not_found_error"}


def body_of(problem: Problem) -> dict[str, object]:
    """Return the JSON of a refusal."""
    kind = _KINDS.get(problem.status, "api_error")
    code = "context_length_exceeded" if problem.n_ctx else None
    said = {"message": problem.text, "type": kind, "param": None, "code": code}
    return {"error": said | sizes(problem)}


refusal = refuse_with(body_of)
"""Answer with a problem."""
