"""`/api/pull` and `/api/push`: checked as everywhere, then refused, for there is no registry client."""

from quart import Blueprint
from quart.wrappers import Response

from actorllm.http.edge import Edge, read_body
from actorllm.http.wire.binding import body
from actorllm.protocol.errors import Refused
from actorllm.protocol.names import parse_ref, valid_name

__all__ = ["blueprint"]


@body("api.PullRequest")
class PullBody:
    """Body of `/api/pull`."""

    model: str = ""
    name: str = ""
    insecure: bool = False
    username: str = ""
    password: str = ""
    stream: bool = True


@body("api.PushRequest")
class PushBody:
    """Body of `/api/push`."""

    model: str = ""
    name: str = ""
    insecure: bool = False
    username: str = ""
    password: str = ""
    stream: bool = True


def blueprint(edge: Edge) -> Blueprint:
    """Make the routes."""
    api = Blueprint("ollama_transfers", __name__)
    limit = edge.settings.max_request_bytes

    @api.post("/api/pull")
    async def pull() -> Response:
        body = await read_body(PullBody, limit)
        valid_name(parse_ref(body.model or body.name).base)
        raise Refused.because(
            501, "this version cannot pull from a registry; create the model from a GGUF file"
        )

    @api.post("/api/push")
    async def push() -> Response:
        body = await read_body(PushBody, limit)
        if not (body.model or body.name):
            raise Refused.because(400, "model is required")
        raise Refused.because(501, "this version cannot push to a registry")

    return api
