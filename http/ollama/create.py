"""`/api/create`."""

from functools import partial
from typing import Any

from quart import Blueprint
from quart.wrappers import Response

from actorllm.http.edge import Edge, read_body
from actorllm.http.ollama import steps
from actorllm.http.wire.binding import Custom, body, given
from actorllm.http.wire.kinds import MessageBody, chat_message
from actorllm.http.wire.mismatch import Mismatch
from actorllm.protocol.chat import JsonObject
from actorllm.protocol.messages.building import Create
from actorllm.protocol.names import valid_name

__all__ = ["blueprint"]


def _read_license(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    found = {bool: "bool", dict: "object", list: "array"}.get(type(value), "number")
    raise Mismatch(found, "[]string")


_LICENSE = Custom(
    _read_license,
    schema={"type": ["string", "array", "null"], "items": {"type": "string"}},
)


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
    license: tuple[str, ...] = given(default=(), kind=_LICENSE)
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


def blueprint(edge: Edge) -> Blueprint:
    """Make the route."""
    api = Blueprint("ollama_create", __name__)

    @api.post("/api/create")
    async def create() -> Response:
        body = await read_body(CreateBody, edge.settings.max_request_bytes)
        source = partial(edge.node.ref("/builder").stream, create_request(body))
        return await steps.answer(edge, source, stream=body.stream)

    return api
