"""`/api/rerank`."""

from quart import Blueprint
from quart.wrappers import Response

from actorllm.http.edge import Edge, read_body
from actorllm.http.embedding import with_notice
from actorllm.http.errors import json_response
from actorllm.http.generation import client_of_request, embed
from actorllm.http.rerank import RerankBody, rerank_request, results

__all__ = ["blueprint"]


def blueprint(edge: Edge) -> Blueprint:
    """Make the route."""
    api = Blueprint("ollama_rerank", __name__)

    @api.post("/api/rerank")
    async def rerank() -> Response:
        body = await read_body(RerankBody, edge.settings.max_request_bytes)
        found = await embed(edge, rerank_request(body), client_of_request())
        answer = {
            "model": body.model,
            "results": results(body, found),
            "total_duration": found.total_duration,
            "load_duration": found.load_duration,
            "prompt_eval_count": found.prompt_eval_count,
        }
        return with_notice(json_response(answer), found)

    return api
