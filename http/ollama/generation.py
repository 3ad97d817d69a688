"""`/api/generate` and `/api/chat`."""

from typing import Any, Literal

from quart import Blueprint
from quart.wrappers import Response

from actorllm.http.edge import Edge, read_body
from actorllm.http.frames import respond
from actorllm.http.ollama.frames import ChatFrames, GenerateFrames
from actorllm.http.tool_use import tool_use
from actorllm.http.wire.binding import body, given
from actorllm.http.wire.extras import budget
from actorllm.http.wire.kinds import IMAGES, KEEP_ALIVE, THINK, TOOLS, MessageBody, chat_message
from actorllm.http.wire.values import RAW
from actorllm.protocol.chat import JsonObject, Think
from actorllm.protocol.codec import evolve
from actorllm.protocol.messages.generation import GenerateRequest

__all__ = ["ChatBody", "GenerateBody", "blueprint"]


@body("api.Request")
class _Body:
    """What both routes take."""

    model: str = ""
    stream: bool = True
    format: Any = given(default=None, kind=RAW)
    grammar: str = ""
    """Ours: GBNF that the answer keeps to."""
    keep_alive: int | None = given(default=None, kind=KEEP_ALIVE)
    options: JsonObject | None = None
    think: Think = given(default=None, kind=THINK)
    think_budget: int | None = None
    """Ours: tokens after which thoughts are ended."""
    truncate: bool = True
    shift: bool | None = None
    render_only: bool = given(default=False, key="_debug_render_only")
    logprobs: bool = False
    top_logprobs: int = 0


@body("api.GenerateRequest")
class GenerateBody(_Body):
    """Body of `/api/generate`."""

    prompt: str = ""
    suffix: str = ""
    system: str = ""
    template: str = ""
    context: tuple[int, ...] | None = None
    raw: bool = False
    images: tuple[bytes, ...] = given(default=(), kind=IMAGES)


@body("api.ChatRequest")
class ChatBody(_Body):
    """Body of `/api/chat`."""

    messages: tuple[MessageBody, ...] = ()
    tools: tuple[JsonObject, ...] = given(default=(), kind=TOOLS)
    tool_choice: Any = None
    """Ours, as on `/v1/chat/completions`."""
    parallel_tool_calls: bool | None = None


def _request(body: _Body, kind: Literal["generate", "chat"]) -> GenerateRequest:
    """Translate what both routes take.

    Raises:
        Refused: 400, a field of ours makes no sense.
    """
    return GenerateRequest(
        model=body.model,
        kind=kind,
        format=body.format,
        grammar=body.grammar,
        options=body.options or {},
        keep_alive=body.keep_alive,
        think=body.think,
        think_budget=budget(body.think_budget),
        truncate=body.truncate,
        shift=body.shift,
        logprobs=body.logprobs,
        top_logprobs=body.top_logprobs,
        render_only=body.render_only,
    )


def generate_request(body: GenerateBody) -> GenerateRequest:
    """Translate a body of `/api/generate`.

    Raises:
        Refused: 400, a field of ours makes no sense.
    """
    return evolve(
        _request(body, "generate"),
        prompt=body.prompt,
        suffix=body.suffix,
        system=body.system,
        template=body.template,
        context=body.context,
        raw=body.raw,
        images=body.images,
    )


def chat_request(body: ChatBody) -> GenerateRequest:
    """Translate a body of `/api/chat`.

    Raises:
        Refused: 400, a field of ours makes no sense.
    """
    request = evolve(
        _request(body, "chat"),
        messages=tuple(map(chat_message, body.messages)),
        tools=body.tools,
    )
    return tool_use(body.tool_choice, parallel=body.parallel_tool_calls).apply(request)


def blueprint(edge: Edge) -> Blueprint:
    """Make the routes."""
    api = Blueprint("ollama_generation", __name__)
    limit = edge.settings.max_request_bytes

    @api.post("/api/generate")
    async def generate_route() -> Response:
        body = await read_body(GenerateBody, limit)
        frames = GenerateFrames(body.model, edge.metrics)
        return await respond(edge, generate_request(body), frames, stream=body.stream)

    @api.post("/api/chat")
    async def chat_route() -> Response:
        body = await read_body(ChatBody, limit)
        frames = ChatFrames(body.model, edge.metrics)
        return await respond(edge, chat_request(body), frames, stream=body.stream)

    return api
