"""`/api/pull` and `/api/push`."""

from functools import partial

from quart import Blueprint
from quart.wrappers import Response

from actorllm.http.edge import Edge, read_body
from actorllm.http.ollama import steps
from actorllm.http.wire.binding import body
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.transfers import Pull, Push
from actorllm.protocol.names import local_name, parse_ref, valid_name

__all__ = ["PullBody", "PushBody", "blueprint"]


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


def _local_name(text: str) -> str:
    if not text.strip():
        return ""
    reference = parse_ref(text)
    if reference.is_cloud:
        local_name(text)
    return reference.base


def blueprint(edge: Edge) -> Blueprint:
    """Make the routes."""
    api = Blueprint("ollama_transfers", __name__)
    limit = edge.settings.max_request_bytes

    @api.post("/api/pull")
    async def pull() -> Response:
        body = await read_body(PullBody, limit)
        model = _local_name(body.model or body.name)
        valid_name(model)
        wanted = Pull(model, body.insecure, body.username, body.password)
        source = partial(edge.node.ref("/downloader").stream, wanted)
        return await steps.answer(edge, source, stream=body.stream)

    @api.post("/api/push")
    async def push() -> Response:
        body = await read_body(PushBody, limit)
        model = _local_name(body.model or body.name)
        if not model:
            raise Refused.because(400, "model is required")
        wanted = Push(model, body.insecure, body.username, body.password)
        source = partial(edge.node.ref("/uploader").stream, wanted)
        return await steps.answer(edge, source, stream=body.stream)

    return api
