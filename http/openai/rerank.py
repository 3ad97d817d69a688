"""`/v1/rerank`, which OpenAI has not: in the form of Jina and Cohere."""

from quart import Blueprint
from quart.wrappers import Response

from actorllm.http.edge import Edge
from actorllm.http.embedding import with_notice
from actorllm.http.errors import json_response
from actorllm.http.generation import client_of_request, embed
from actorllm.http.openai.refusals import refusal
from actorllm.http.rerank import RerankBody, rerank_request, results
from actorllm.http.v1 import PLAIN_JSON, install, read

__all__ = ["blueprint"]


def blueprint(edge: Edge) -> Blueprint:
    """Make the route."""
    api = Blueprint("openai_rerank", __name__)
    install(api, edge, refusal)

    @api.post("/v1/rerank")
    async def rerank() -> Response:
        limit = edge.settings.max_request_bytes
        body, request = await read(RerankBody, rerank_request, limit)
        found = await embed(edge, request, client_of_request())
        tokens = found.prompt_eval_count
        answer = {
            "model": body.model,
            "object": "list",
            "results": results(body, found),
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
        return with_notice(json_response(answer, content_type=PLAIN_JSON), found)

    return api
