"""`/v1/models`."""

from collections.abc import Sequence

from quart import Blueprint
from quart.wrappers import Response

from actorllm.http.edge import Edge
from actorllm.http.errors import json_response
from actorllm.http.listing import Listing
from actorllm.http.openai.refusals import refusal
from actorllm.http.v1 import PLAIN_JSON, install
from actorllm.protocol.messages.models import ModelRow, ShowModel
from actorllm.protocol.names import parse_name

__all__ = ["blueprint"]

_SECOND = 1_000_000_000


def _model(name: str, modified_at: int, owner: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": modified_at // _SECOND, "owned_by": owner}


def _list(models: Sequence[ModelRow]) -> dict[str, object]:
    data = [_model(m.name, m.modified_at, m.namespace) for m in models]
    # Clients have always seen null for an empty list.
    return {"object": "list", "data": data or None}


def blueprint(edge: Edge) -> Blueprint:
    """Make the routes."""
    api = Blueprint("openai_models", __name__)
    install(api, edge, refusal)
    listing = Listing(edge, _list, PLAIN_JSON)

    @api.get("/v1/models")
    async def models() -> Response:
        return await listing.response()

    @api.get("/v1/models/<name>")
    async def model(name: str) -> Response:
        shown = await edge.ask("/library", ShowModel(name))
        owner = parse_name(name).namespace
        return json_response(_model(name, shown.modified_at, owner), content_type=PLAIN_JSON)

    return api
