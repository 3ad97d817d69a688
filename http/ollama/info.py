"""What the server says of itself: `/`, `/api/version`, `/api/status`, and the cloud it has not."""

from typing import NoReturn

from quart import Blueprint, request
from quart.wrappers import Response
from quart_trio.wrappers import TrioResponse

from actorllm.http.connection import RequestBody
from actorllm.http.edge import Edge
from actorllm.http.errors import json_response
from actorllm.protocol.errors import Refused
from actorllm.protocol.version import api_version

__all__ = ["blueprint"]


def blueprint(edge: Edge) -> Blueprint:
    """Make the routes."""
    api = Blueprint("ollama_info", __name__)

    @api.route("/", methods=["GET", "HEAD"])
    async def root() -> Response:
        # Clients look for these very words.
        return TrioResponse("Ollama is running", content_type="text/plain; charset=utf-8")

    @api.route("/api/version", methods=["GET", "HEAD"])
    async def version() -> Response:
        return json_response({"version": api_version()})

    @api.get("/api/status")
    async def status() -> Response:
        disabled = edge.settings.no_cloud
        return json_response(
            {"cloud": {"disabled": disabled, "source": "env" if disabled else "none"}}
        )

    @api.post("/api/me")
    async def me() -> Response:
        raise Refused.because(503, "account unavailable")

    @api.post("/api/signout")
    async def signout() -> Response:
        raise Refused.because(401, "you are not currently signed in")

    @api.delete("/api/user/keys/<key>")
    async def forget(key: str) -> Response:  # noqa: ARG001 -- as the route calls it
        raise Refused.because(401, "you are not currently signed in")

    @api.get("/api/experimental/model-recommendations")
    async def recommendations() -> Response:
        return json_response({"recommendations": []})  # they would come from elsewhere

    @api.post("/api/experimental/web_search")
    async def web_search() -> Response:
        return await _refused_web(edge, "web search")

    @api.post("/api/experimental/web_fetch")
    async def web_fetch() -> Response:
        return await _refused_web(edge, "web fetch")

    return api


async def _refused_web(edge: Edge, operation: str) -> NoReturn:
    """Refuse to ask the web; what a body says does not matter, but there has to be one."""
    body = request.body
    assert isinstance(body, RequestBody)
    if not (await body.read(edge.settings.max_request_bytes)).strip():
        raise Refused.because(400, "missing request body")
    raise Refused.because(403, f"ollama cloud is disabled: {operation} is unavailable")
