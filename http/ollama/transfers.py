"""`/api/pull` and `/api/push`."""

from functools import partial

from quart import Blueprint
from quart.wrappers import Response

from actorllm.http.edge import Edge, read_body
from actorllm.http.errors import json_response
from actorllm.http.ollama.create import StatusFrames
from actorllm.http.stream import Streamed
from actorllm.http.wire.binding import body
from actorllm.protocol.codec import Stream
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.building import CreateStatus
from actorllm.protocol.messages.transfers import Pull, Push
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


def model_name(text: str) -> str:
    """Return a request's model without `:local`. A stand-in for a cloud model is one like any other.

    Raises:
        Refused: It says both: 400.
    """
    ref = parse_ref(text)
    return ref.raw if ref.is_cloud else ref.base


def blueprint(edge: Edge) -> Blueprint:
    """Make the routes."""
    api = Blueprint("ollama_transfers", __name__)
    limit = edge.settings.max_request_bytes

    @api.post("/api/pull")
    async def pull() -> Response:
        body = await read_body(PullBody, limit)
        name = model_name(body.model or body.name)
        valid_name(name)
        wanted = Pull(name, body.insecure, body.username, body.password)
        return await _answer(edge, "/downloader", wanted, streamed=body.stream)

    @api.post("/api/push")
    async def push() -> Response:
        body = await read_body(PushBody, limit)
        name = model_name(body.model or body.name)
        if not name:
            raise Refused.because(400, "model is required")
        wanted = Push(name, body.insecure, body.username, body.password)
        return await _answer(edge, "/uploader", wanted, streamed=body.stream)

    return api


async def _answer(
    edge: Edge, actor: str, wanted: Stream[CreateStatus], *, streamed: bool
) -> Response:
    """Answer with every step, or with the last one alone."""
    frames = StatusFrames()
    ref = edge.node.ref(actor)
    if streamed:
        return Streamed(partial(ref.stream, wanted), frames, edge.log)
    try:
        async with ref.stream(wanted) as items:
            async for _ in items:
                pass
    except Refused as e:
        return frames.refused(e.problem)
    return json_response({"status": "success"}, content_type="application/json")
