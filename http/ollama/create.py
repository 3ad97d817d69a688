"""`/api/create`."""

from functools import partial
from typing import Any

from quart import Blueprint
from quart.wrappers import Response

from actorllm.http.edge import Edge, read_body
from actorllm.http.ollama import steps
from actorllm.http.wire.binding import body, given
from actorllm.http.wire.kinds import MessageBody, chat_message
from actorllm.http.wire.mismatch import Mismatch
from actorllm.http.wire.values import STRING, List
from actorllm.protocol.chat import JsonObject
from actorllm.protocol.codec import evolve
from actorllm.protocol.creation import check_create
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.building import Create

__all__ = ["CreateBody", "blueprint"]


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
    license: Any = None
    """A text or several."""
    system: str = ""
    parameters: JsonObject | None = None
    messages: tuple[MessageBody, ...] = ()
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    info: JsonObject | None = None


def _licenses(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    try:
        return _TEXTS.read(value)
    except Mismatch as e:
        raise Refused.because(400, str(e)) from None


_TEXTS = List(STRING)


def create_request(body: CreateBody) -> Create:
    """Translate a body.

    Raises:
        Refused: 400, a name, a path or a digest is invalid, or a licence is no text.
    """
    made = Create(
        model=body.model or body.name,
        source=body.source,
        files=body.files,
        adapters=body.adapters,
        drafts=body.draft_files,
        template=body.template,
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
    check_create(made)  # also in the builder; here it is said before the stream begins
    return evolve(made, license=_licenses(body.license))


def blueprint(edge: Edge) -> Blueprint:
    """Make the route."""
    api = Blueprint("ollama_create", __name__)

    @api.post("/api/create")
    async def create() -> Response:
        body = await read_body(CreateBody, edge.settings.max_request_bytes)
        source = partial(edge.node.ref("/builder").stream, create_request(body))
        return await steps.answer(edge, source, stream=body.stream)

    return api
