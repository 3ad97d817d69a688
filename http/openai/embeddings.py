"""`/v1/embeddings`."""

import sys
from array import array
from base64 import b64encode
from typing import Any

from quart import Blueprint
from quart.wrappers import Response

from actorllm.http.edge import Edge
from actorllm.http.errors import json_response
from actorllm.http.generation import client_of_request, embed
from actorllm.http.openai.refusals import refusal
from actorllm.http.v1 import PLAIN_JSON, install, read
from actorllm.http.wire.binding import body
from actorllm.protocol.errors import Refused
from actorllm.protocol.gojson import Float32s
from actorllm.protocol.messages.generation import EmbedRequest

__all__ = ["blueprint"]


@body("openai.EmbedRequest")
class EmbedBody:
    """Body of `/v1/embeddings`."""

    model: str = ""
    input: Any = None
    dimensions: int = 0
    encoding_format: str = ""


def _checked(body: EmbedBody) -> EmbedBody:
    if body.encoding_format.lower() not in {"", "float", "base64"}:
        raise Refused.because(
            400,
            f"Invalid value for 'encoding_format' = {body.encoding_format[:100]}. "
            "Supported values: ['float', 'base64'].",
        )
    if body.input is None or body.input == []:
        raise Refused.because(400, "invalid input")
    return body


def embed_request(body: EmbedBody) -> EmbedRequest:
    """Translate a body.

    Raises:
        Refused: 400, the input is neither a text nor texts.
    """
    texts = [body.input] if isinstance(body.input, str) else body.input
    if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
        raise Refused.because(400, "invalid input type")
    return EmbedRequest(body.model, inputs=tuple(texts), dimensions=body.dimensions)


def _in_base64(vector: tuple[float, ...]) -> str:
    packed = array("f", vector)
    if sys.byteorder == "big":
        packed.byteswap()
    return b64encode(packed.tobytes()).decode()


def blueprint(edge: Edge) -> Blueprint:
    """Make the route."""
    api = Blueprint("openai_embeddings", __name__)
    install(api, edge, refusal)

    @api.post("/v1/embeddings")
    async def embeddings() -> Response:
        body, _ = await read(EmbedBody, _checked, edge.settings.max_request_bytes)
        found = await embed(edge, embed_request(body), client_of_request())
        spell = _in_base64 if body.encoding_format.lower() == "base64" else Float32s
        data = [
            {"object": "embedding", "embedding": spell(vector), "index": i}
            for i, vector in enumerate(found.vectors)
        ]
        tokens = found.prompt_eval_count
        counted = {"prompt_tokens": tokens, "total_tokens": tokens}
        return json_response(
            {"object": "list", "data": data, "model": body.model, "usage": counted},
            content_type=PLAIN_JSON,
        )

    return api
