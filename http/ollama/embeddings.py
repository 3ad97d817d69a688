"""`/api/embed` and the older `/api/embeddings`."""

from typing import Any

from quart import Blueprint
from quart.wrappers import Response

from actorllm.http.edge import Edge, read_body
from actorllm.http.embedding import check_name, with_notice
from actorllm.http.errors import json_response
from actorllm.http.generation import client_of_request, embed
from actorllm.http.wire.binding import body, given
from actorllm.http.wire.kinds import KEEP_ALIVE
from actorllm.protocol.chat import JsonObject
from actorllm.protocol.errors import Refused
from actorllm.protocol.gojson import Float32s
from actorllm.protocol.messages.generation import EmbedRequest

__all__ = ["EmbedBody", "EmbeddingBody", "blueprint"]


@body("api.EmbedRequest")
class EmbedBody:
    """Body of `/api/embed`."""

    model: str = ""
    input: Any = None
    keep_alive: int | None = given(default=None, kind=KEEP_ALIVE)
    truncate: bool = True
    dimensions: int = 0
    options: JsonObject | None = None


@body("api.EmbeddingRequest")
class EmbeddingBody:
    """Body of `/api/embeddings`."""

    model: str = ""
    prompt: str = ""
    keep_alive: int | None = given(default=None, kind=KEEP_ALIVE)
    options: JsonObject | None = None


def _inputs(value: Any) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    raise Refused.because(400, "invalid input type")


def blueprint(edge: Edge) -> Blueprint:
    """Make the routes."""
    api = Blueprint("ollama_embeddings", __name__)
    limit = edge.settings.max_request_bytes

    @api.post("/api/embed")
    async def embed_route() -> Response:
        body = await read_body(EmbedBody, limit)
        check_name(body.model)
        wanted = EmbedRequest(
            model=body.model,
            inputs=_inputs(body.input),
            truncate=body.truncate,
            dimensions=body.dimensions,
            options=body.options or {},
            keep_alive=body.keep_alive,
        )
        found = await embed(edge, wanted, client_of_request())
        metrics = {
            "total_duration": found.total_duration,
            "load_duration": found.load_duration,
            "prompt_eval_count": found.prompt_eval_count,
        }
        answer = json_response(
            {"model": body.model, "embeddings": list(map(Float32s, found.vectors))}
            | {key: value for key, value in metrics.items() if value and found.vectors}
        )
        return with_notice(answer, found, body.dimensions)

    @api.post("/api/embeddings")
    async def embeddings_route() -> Response:
        body = await read_body(EmbeddingBody, limit)
        if not body.model.strip():
            raise Refused.because(400, "model is required")
        wanted = EmbedRequest(
            model=body.model,
            inputs=_inputs(body.prompt),
            truncate=False,
            options=body.options or {},
            keep_alive=body.keep_alive,
        )
        found = await embed(edge, wanted, client_of_request())
        answer = json_response({"embedding": found.vectors[0] if found.vectors else ()})
        return with_notice(answer, found)

    return api
