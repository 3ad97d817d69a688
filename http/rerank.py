"""Documents ranked by how well they fit a query: the body and the answer of both dialects."""

from typing import Any

from actorllm.http.embedding import lost
from actorllm.http.wire.binding import body, given
from actorllm.http.wire.kinds import KEEP_ALIVE
from actorllm.protocol.chat import JsonObject
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import Embeddings, EmbedRequest

__all__ = ["MOST_DOCUMENTS", "RerankBody", "rerank_request", "results"]

Json = dict[str, Any]

MOST_DOCUMENTS = 1000
"""Documents of one request."""


@body("api.RerankRequest")
class RerankBody:
    """Body of `/api/rerank` and `/v1/rerank`."""

    model: str = ""
    query: str = ""
    documents: tuple[Any, ...] = ()
    """Texts, or objects with a `text`."""
    top_n: int | None = None
    return_documents: bool = False
    raw_scores: bool = False
    """Logits in place of numbers between 0 and 1."""
    truncate: bool = True
    options: JsonObject | None = None
    keep_alive: int | None = given(default=None, kind=KEEP_ALIVE)


def rerank_request(body: RerankBody) -> EmbedRequest:
    """Translate a body.

    Raises:
        Refused: 400, something is missing or makes no sense.
    """
    if not body.model:
        raise Refused.because(400, "model is required")
    if not body.query:
        raise Refused.because(400, "query is required")
    if not 1 <= len(body.documents) <= MOST_DOCUMENTS:
        raise Refused.because(400, f"documents must be a list of 1 to {MOST_DOCUMENTS} texts")
    if body.top_n is not None and body.top_n < 1:
        raise Refused.because(400, "top_n must be at least 1")
    return EmbedRequest(
        body.model,
        inputs=tuple(map(_text, body.documents)),
        query=body.query,
        normalize=not body.raw_scores,
        truncate=body.truncate,
        options=body.options or {},
        keep_alive=body.keep_alive,
    )


def _text(document: Any) -> str:
    text = document.get("text") if isinstance(document, dict) else document
    if not isinstance(text, str):
        raise Refused.because(400, "a document must be a text, or an object with a text")
    return text


def results(body: RerankBody, found: Embeddings) -> list[Json]:
    """Write the documents, the best first; equal ones stay in their order."""
    scored = sorted(enumerate(found.vectors), key=lambda item: -item[1][0])
    return [
        {"index": index, "relevance_score": vector[0]}
        | ({"document": {"text": _text(body.documents[index])}} if body.return_documents else {})
        | lost(found, index)
        for index, vector in scored[: body.top_n]
    ]
