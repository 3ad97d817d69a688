"""`/v1/embeddings`."""

import sys
from array import array
from base64 import b64encode
from typing import Any

from quart import Blueprint
from quart.wrappers import Response

from actorllm.http.edge import Edge
from actorllm.http.embedding import check_name, lost, with_notice
from actorllm.http.errors import json_response
from actorllm.http.generation import client_of_request, embed
from actorllm.http.openai.refusals import refusal
from actorllm.http.v1 import PLAIN_JSON, install, read
from actorllm.http.wire.binding import body, given
from actorllm.http.wire.kinds import KEEP_ALIVE, token_ids
from actorllm.protocol.chat import JsonObject
from actorllm.protocol.errors import Refused
from actorllm.protocol.gojson import Float32s
from actorllm.protocol.messages.generation import EmbedRequest

__all__ = ["EmbedBody", "blueprint"]


@body("openai.EmbedRequest")
class EmbedBody:
    """Body of `/v1/embeddings`."""

    model: str = ""
    input: Any = None
    dimensions: int = 0
    encoding_format: str = ""
    truncate: bool = True
    num_ctx: int | None = None
    options: JsonObject | None = None
    keep_alive: int | None = given(default=None, kind=KEEP_ALIVE)


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
        Refused: 400, the input is neither texts nor tokens.
    """
    texts, tokens = _inputs(body.input)
    return EmbedRequest(
        body.model,
        inputs=texts,
        tokens=tokens,
        dimensions=body.dimensions,
        truncate=body.truncate,
        options=(body.options or {}) | ({} if body.num_ctx is None else {"num_ctx": body.num_ctx}),
        keep_alive=body.keep_alive,
    )


def _inputs(value: Any) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """Read a text, texts, tokens, or lists of tokens."""
    if isinstance(value, str):
        return (value,), ()
    if not isinstance(value, list):
        raise Refused.because(400, "invalid input type")
    if all(isinstance(item, str) for item in value):
        return tuple(value), ()
    lists = value if isinstance(value[0], list) else [value]
    return (), tuple(map(_tokens, lists))


def _tokens(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(item) is int for item in value):
        raise Refused.because(400, "invalid input type")
    return token_ids(value)


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
        check_name(body.model)
        found = await embed(edge, embed_request(body), client_of_request())
        spell = _in_base64 if body.encoding_format.lower() == "base64" else Float32s
        data = [
            {"object": "embedding", "embedding": spell(vector), "index": i} | lost(found, i)
            for i, vector in enumerate(found.vectors)
        ]
        tokens = found.prompt_eval_count
        counted = {"prompt_tokens": tokens, "total_tokens": tokens}
        answer = json_response(
            {"object": "list", "data": data, "model": body.model, "usage": counted},
            content_type=PLAIN_JSON,
        )
        return with_notice(answer, found, body.dimensions)

    return api
