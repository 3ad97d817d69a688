"""What can be seen of the inside: `/api/actors` and `/metrics`."""

from typing import Any

import attrs
from quart import Blueprint
from quart.wrappers import Response
from quart_trio.wrappers import TrioResponse

from actorllm.http.edge import Edge
from actorllm.http.errors import json_response
from actorllm.http.metrics import CONTENT_TYPE

__all__ = ["blueprint"]

_MAX_DEPTH = 64


def _to_json(value: Any, depth: int = _MAX_DEPTH) -> Any:
    """Turn attrs objects and what they hold into JSON values."""
    if depth == 0:
        return "…"
    if attrs.has(type(value)):
        return {
            a.name: _to_json(getattr(value, a.name), depth - 1) for a in attrs.fields(type(value))
        }
    if isinstance(value, dict):
        return {str(k): _to_json(v, depth - 1) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_to_json(v, depth - 1) for v in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    return round(value, 6) if isinstance(value, float) else str(value)


def blueprint(edge: Edge) -> Blueprint:
    """Make the routes."""
    api = Blueprint("insight", __name__)

    @api.get("/api/actors")
    async def actors() -> Response:
        return json_response(_to_json(edge.node.snapshot()))

    @api.get("/metrics")
    async def metrics() -> Response:
        return TrioResponse(edge.metrics.page(), content_type=CONTENT_TYPE)

    return api
