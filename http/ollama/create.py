"""`/api/create`."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from quart import Blueprint
from quart.wrappers import Response
from quart_trio.wrappers import TrioResponse

from actorllm.http.edge import Edge, read_body
from actorllm.http.errors import JSON, json_response, refusal
from actorllm.http.stream import NDJSON, Streamed
from actorllm.http.wire.binding import Custom, Mismatch, body, given
from actorllm.http.wire.kinds import MessageBody, chat_message
from actorllm.protocol.chat import JsonObject
from actorllm.protocol.errors import Problem, Refused
from actorllm.protocol.gojson import dumps
from actorllm.protocol.messages.building import Create, CreateStatus
from actorllm.protocol.names import valid_name

__all__ = ["StatusFrames", "blueprint"]

_PLAIN_JSON = "application/json"

_BEFORE_THE_STREAM = frozenset(
    {
        "invalid digest format",
        "file path must be relative",
        "--draft-quantize requires a DRAFT model",
    }
)
"""Refusals that carry a charset, since the reference says them before it opens its stream."""


def _read_license(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    found = {bool: "bool", dict: "object", list: "array"}.get(type(value), "number")
    raise Mismatch(found, "[]string")


@body("api.CreateRequest")
class CreateBody:
    """Body of `/api/create`."""

    model: str = ""
    name: str = ""
    stream: bool = True
    quantize: str = ""
    quantization: str = ""
    draft_quantize: str = ""
    source: str = given(default="", key="from")
    remote_host: str = ""
    files: dict[str, str] | None = None
    adapters: dict[str, str] | None = None
    draft_files: dict[str, str] | None = None
    template: str = ""
    license: tuple[str, ...] = given(default=(), kind=Custom(_read_license))
    system: str = ""
    parameters: JsonObject | None = None
    messages: tuple[MessageBody, ...] = ()
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    info: JsonObject | None = None


def create_request(body: CreateBody) -> Create:
    """Translate a body."""
    model = body.model or body.name
    valid_name(model)
    return Create(
        model=model,
        source=body.source,
        files=body.files,
        adapters=body.adapters,
        drafts=body.draft_files,
        template=body.template,
        license=body.license,
        system=body.system,
        parameters=body.parameters or {},
        messages=tuple(map(chat_message, body.messages)),
        renderer=body.renderer,
        parser=body.parser,
        requires=body.requires,
        quantize=body.quantize or body.quantization,
        draft_quantize=body.draft_quantize,
        remote_host=body.remote_host,
        info=body.info or {},
    )


class StatusFrames:
    """Steps of a creation or a transfer, a line each."""

    content_type: ClassVar[str] = NDJSON

    def whole(self, first: CreateStatus) -> TrioResponse | None:
        return None

    def refused(self, problem: Problem) -> TrioResponse:
        early = problem.text in _BEFORE_THE_STREAM
        return refusal(problem, content_type=JSON if early else _PLAIN_JSON)

    def write(self, items: Sequence[CreateStatus]) -> bytes:
        return b"".join([dumps(_status(item)) + b"\n" for item in items])

    def end(self) -> bytes:
        return b""

    def failed(self, problem: Problem) -> bytes:
        return dumps({"error": problem.text}) + b"\n"


def _status(item: CreateStatus) -> JsonObject:
    facts = {"digest": item.digest, "total": item.total, "completed": item.completed}
    return {"status": item.status} | {key: value for key, value in facts.items() if value}


def blueprint(edge: Edge) -> Blueprint:
    """Make the route."""
    api = Blueprint("ollama_create", __name__)
    frames = StatusFrames()

    @api.post("/api/create")
    async def create() -> Response:
        body = await read_body(CreateBody, edge.settings.max_request_bytes)
        wanted = create_request(body)
        builder = edge.node.ref("/builder")
        if body.stream:
            return Streamed(partial(builder.stream, wanted), frames, edge.log)
        try:
            async with builder.stream(wanted) as items:
                last = None
                async for item in items:
                    last = item
        except Refused as e:
            return frames.refused(e.problem)
        if last is None:
            raise Refused.because(500, "nothing was answered")
        return json_response(_status(last), content_type=_PLAIN_JSON)

    return api
