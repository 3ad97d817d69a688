"""`/api/generate` and `/api/chat`."""

from typing import Any

from quart import Blueprint
from quart.wrappers import Response

from actorllm.http.edge import Edge, read_body
from actorllm.http.frames import respond
from actorllm.http.ollama.frames import ChatFrames, GenerateFrames
from actorllm.http.tool_use import tool_use
from actorllm.http.wire.binding import body, given
from actorllm.http.wire.extras import budget
from actorllm.http.wire.kinds import IMAGES, KEEP_ALIVE, THINK, TOOLS, MessageBody, chat_message
from actorllm.protocol.chat import JsonObject, Think
from actorllm.protocol.messages.generation import GenerateRequest

__all__ = ["blueprint"]


@body("api.GenerateRequest")
class GenerateBody:
    """Body of `/api/generate`."""

    model: str = ""
    prompt: str = ""
    suffix: str = ""
    system: str = ""
    template: str = ""
    context: tuple[int, ...] = ()
    stream: bool = True
    raw: bool = False
    format: Any = None
    keep_alive: int | None = given(default=None, kind=KEEP_ALIVE)
    images: tuple[bytes, ...] = given(default=(), kind=IMAGES)
    options: JsonObject | None = None
    think: Think = given(default=None, kind=THINK)
    think_budget: int | None = None
    """Ours: tokens after which thoughts are ended."""
    truncate: bool = True
    shift: bool | None = None
    render_only: bool = given(default=False, key="_debug_render_only")
    logprobs: bool = False
    top_logprobs: int = 0


@body("api.ChatRequest")
class ChatBody:
    """Body of `/api/chat`."""

    model: str = ""
    messages: tuple[MessageBody, ...] = ()
    stream: bool = True
    format: Any = None
    keep_alive: int | None = given(default=None, kind=KEEP_ALIVE)
    tools: tuple[JsonObject, ...] = given(default=(), kind=TOOLS)
    tool_choice: Any = None
    """Ours, as on `/v1/chat/completions`."""
    parallel_tool_calls: bool | None = None
    options: JsonObject | None = None
    think: Think = given(default=None, kind=THINK)
    think_budget: int | None = None
    """Ours: tokens after which thoughts are ended."""
    truncate: bool = True
    shift: bool | None = None
    render_only: bool = given(default=False, key="_debug_render_only")
    logprobs: bool = False
    top_logprobs: int = 0


def generate_request(body: GenerateBody) -> GenerateRequest:
    """Translate a body of `/api/generate`."""
    return GenerateRequest(
        model=body.model,
        kind="generate",
        prompt=body.prompt,
        suffix=body.suffix,
        system=body.system,
        template=body.template,
        context=body.context,
        raw=body.raw,
        images=body.images,
        format=body.format,
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


def chat_request(body: ChatBody) -> GenerateRequest:
    """Translate a body of `/api/chat`.

    Raises:
        Refused: 400, a field of ours makes no sense.
    """
    request = GenerateRequest(
        model=body.model,
        kind="chat",
        messages=tuple(map(chat_message, body.messages)),
        tools=body.tools,
        format=body.format,
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
