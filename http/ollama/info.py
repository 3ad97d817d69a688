"""What the server says of itself: `/`, `/api/version`, `/api/status`, and the cloud it has not."""

from quart import Blueprint
from quart.wrappers import Response
from quart_trio.wrappers import TrioResponse

from actorllm.http.edge import Edge, read_body
from actorllm.http.errors import json_response
from actorllm.http.wire.binding import body
from actorllm.protocol.errors import Refused
from actorllm.protocol.version import api_version

__all__ = ["blueprint"]


@body("api.WebRequest")
class WebBody:
    """Body of what asks the web."""

    query: str = ""


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

    @api.post("/api/experimental/web_search")
    async def web_search() -> Response:
        await read_body(WebBody, edge.settings.max_request_bytes)
        raise Refused.because(403, "ollama cloud is disabled: web search is unavailable")

    @api.post("/api/experimental/web_fetch")
    async def web_fetch() -> Response:
        await read_body(WebBody, edge.settings.max_request_bytes)
        raise Refused.because(403, "ollama cloud is disabled: web fetch is unavailable")

    return api
