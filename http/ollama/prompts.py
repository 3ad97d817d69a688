"""`/api/render`, `/api/parse`, `/api/tokenize` and `/api/detokenize`: what a model reads and says."""

import base64
from typing import Any

from quart import Blueprint
from quart.wrappers import Response

from actorllm.http.edge import Edge, read_body
from actorllm.http.errors import json_response
from actorllm.http.generation import client_of_request
from actorllm.http.ollama.frames import tool_calls
from actorllm.http.wire.binding import body, given
from actorllm.http.wire.kinds import (
    KEEP_ALIVE,
    THINK,
    TOOLS,
    MessageBody,
    chat_message,
    token_ids,
)
from actorllm.protocol.chat import JsonObject, Think
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.prompts import (
    AnswerPart,
    DetokenizeText,
    ParseAnswer,
    ParsedAnswer,
    RenderedPrompt,
    RenderPrompt,
    TextTokens,
    TokenizeText,
)

__all__ = ["DetokenizeBody", "ParseBody", "RenderBody", "TokenizeBody", "blueprint"]

Json = dict[str, Any]


@body("api.RenderRequest")
class RenderBody:
    """Body of `/api/render`."""

    model: str = ""
    renderer: str = ""
    template: str = ""
    messages: tuple[MessageBody, ...] = ()
    tools: tuple[JsonObject, ...] = given(default=(), kind=TOOLS)
    think: Think = given(default=None, kind=THINK)
    options: JsonObject | None = None
    keep_alive: int | None = given(default=None, kind=KEEP_ALIVE)
    truncate: bool = True


@body("api.ParseRequest")
class ParseBody:
    """Body of `/api/parse`."""

    model: str = ""
    parser: str = ""
    text: str = ""
    chunks: tuple[str, ...] | None = None
    messages: tuple[MessageBody, ...] = ()
    tools: tuple[JsonObject, ...] = given(default=(), kind=TOOLS)
    think: Think = given(default=None, kind=THINK)


@body("api.TokenizeRequest")
class TokenizeBody:
    """Body of `/api/tokenize`."""

    model: str = ""
    text: str = ""
    add_special: bool = False
    parse_special: bool = True
    with_pieces: bool = False
    keep_alive: int | None = given(default=None, kind=KEEP_ALIVE)


@body("api.DetokenizeRequest")
class DetokenizeBody:
    """Body of `/api/detokenize`."""

    model: str = ""
    tokens: tuple[int, ...] = ()
    keep_alive: int | None = given(default=None, kind=KEEP_ALIVE)


def _rendered(model: str, made: RenderedPrompt) -> Json:
    frame: Json = {"model": model} if model else {}
    frame |= {
        "prompt": made.text,
        "template": made.template,
        "reason": made.reason,
        "starts_in_thinking": made.starts_in_thinking,
        "image_count": made.images,
    }
    if model:
        frame |= {
            "tokens": made.tokens,
            "num_ctx": made.num_ctx,
            "truncated_messages": made.truncated_messages,
            "truncated_tokens": made.truncated_tokens,
        }
    return frame | ({"notices": made.notices} if made.notices else {})


def _part(part: AnswerPart) -> Json:
    said: Json = {"content": part.content}
    if part.thinking:
        said["thinking"] = part.thinking
    if part.tool_calls:
        said["tool_calls"] = tool_calls(part.tool_calls)
    return said


def _parsed(body: ParseBody, found: ParsedAnswer) -> Json:
    frame: Json = {"model": body.model} if body.model else {}
    if found.parser:
        frame["parser"] = found.parser
    frame |= {"message": {"role": "assistant"} | _part(found.whole), "unparsed": found.unparsed}
    if body.chunks is not None:
        frame["parts"] = list(map(_part, found.parts))
    return frame


def _tokens(model: str, found: TextTokens) -> Json:
    frame: Json = {"model": model, "tokens": found.tokens}
    if found.pieces:
        frame["pieces"] = list(map(_piece, found.pieces))
    return frame


def _piece(piece: bytes) -> Json:
    """Write the bytes of a token, which may be a part of a character only."""
    try:
        return {"text": piece.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(piece).decode("ascii")}


def _to_render(body: RenderBody, client: str) -> RenderPrompt:
    return RenderPrompt(
        client=client,
        messages=tuple(map(chat_message, body.messages)),
        model=body.model,
        renderer=body.renderer,
        template=body.template,
        tools=body.tools,
        think=body.think,
        options=body.options or {},
        keep_alive=body.keep_alive,
        truncate=body.truncate,
    )


def _to_parse(body: ParseBody) -> ParseAnswer:
    return ParseAnswer(
        chunks=_chunks(body),
        model=body.model,
        parser=body.parser,
        messages=tuple(map(chat_message, body.messages)),
        tools=body.tools,
        think=body.think,
    )


def _chunks(body: ParseBody) -> tuple[str, ...]:
    if body.chunks is None:
        return (body.text,)
    if body.text:
        raise Refused.because(400, "give text or chunks, not both")
    return body.chunks


def blueprint(edge: Edge) -> Blueprint:
    """Make the routes."""
    api = Blueprint("ollama_prompts", __name__)
    limit = edge.settings.max_request_bytes

    @api.post("/api/render")
    async def render() -> Response:
        body = await read_body(RenderBody, limit)
        question = _to_render(body, client_of_request())
        return json_response(_rendered(body.model, await edge.only("/prompts", question)))

    @api.post("/api/parse")
    async def parse() -> Response:
        body = await read_body(ParseBody, limit)
        return json_response(_parsed(body, await edge.ask("/prompts", _to_parse(body))))

    @api.post("/api/tokenize")
    async def tokenize() -> Response:
        body = await read_body(TokenizeBody, limit)
        question = TokenizeText(
            client=client_of_request(),
            model=body.model,
            text=body.text,
            add_special=body.add_special,
            parse_special=body.parse_special,
            pieces=body.with_pieces,
            keep_alive=body.keep_alive,
        )
        return json_response(_tokens(body.model, await edge.only("/prompts", question)))

    @api.post("/api/detokenize")
    async def detokenize() -> Response:
        body = await read_body(DetokenizeBody, limit)
        tokens = token_ids(body.tokens)
        question = DetokenizeText(client_of_request(), body.model, tokens, body.keep_alive)
        joined = await edge.only("/prompts", question)
        return json_response({"model": body.model, "text": joined.text})

    return api
