"""`/openapi.json` and `/docs`."""

from functools import cache

from quart import Blueprint
from quart.wrappers import Response
from quart_trio.wrappers import TrioResponse

from actorllm.http.edge import Edge
from actorllm.http.errors import PLAIN_JSON
from actorllm.protocol.gojson import dumps

__all__ = ["blueprint"]


@cache
def _document() -> bytes:
    from actorllm.http.openapi.document import document

    return dumps(document())


def blueprint(_: Edge) -> Blueprint:
    """Make the routes. What they answer is made when it is asked for the first time."""
    api = Blueprint("openapi", __name__)

    @api.get("/openapi.json")
    async def openapi() -> Response:
        return TrioResponse(_document(), content_type=PLAIN_JSON)

    @api.get("/docs")
    async def docs() -> Response:
        from actorllm.http.openapi.page import page

        made = page()
        response = TrioResponse(made.html, content_type="text/html; charset=utf-8")
        response.headers.update(made.headers)
        return response

    return api
