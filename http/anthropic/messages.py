"""`/v1/messages` and `/v1/messages/count_tokens`."""

import secrets
from typing import Any

from quart import Blueprint
from quart.wrappers import Response
from quart_trio.wrappers import TrioResponse

from actorllm.http.anthropic.refusals import body_of, refusal, request_id
from actorllm.http.anthropic.request import (
    MessagesBody,
    conversation_request,
    estimate_tokens,
    messages_request,
)
from actorllm.http.edge import Edge
from actorllm.http.errors import json_response
from actorllm.http.facts import cached_tokens
from actorllm.http.frames import GenerationFrames, respond
from actorllm.http.generation import client_of_request
from actorllm.http.metrics import Metrics
from actorllm.http.v1 import PLAIN_JSON, install, read
from actorllm.protocol.chat import ToolCall
from actorllm.protocol.errors import Problem
from actorllm.protocol.gojson import dumps, quote, text, to_bytes
from actorllm.protocol.messages.generation import Chunk, Done, GenerateRequest
from actorllm.protocol.messages.prompts import RenderPrompt

__all__ = ["blueprint"]

Json = dict[str, Any]


def _event(value: Json) -> bytes:
    name: str = value["type"]
    return b"event: " + name.encode() + b"\ndata: " + dumps(value) + b"\n\n"


def _usage(done: Done) -> Json:
    cached = cached_tokens(done)
    counted = {
        "input_tokens": done.prompt_eval_count - cached,
        "output_tokens": done.eval_count,
    }
    return counted | ({"cache_read_input_tokens": cached} if cached else {})


class MessageFrames(GenerationFrames):
    """A message as Anthropic's clients read it: blocks that start, grow and stop.

    Args:
        body: What was asked.
        metrics: Told when the generation has ended.
    """

    def __init__(self, body: MessagesBody, metrics: Metrics) -> None:
        super().__init__(metrics)
        self._head: Json = {
            "id": f"msg_{secrets.token_hex(12)}",
            "type": "message",
            "role": "assistant",
            "model": body.model,
        }
        self._stops = body.stop_sequences
        self._estimate = estimate_tokens(body)
        self._open = ""
        """Type of the block that grows."""
        self._index = 0
        self._before = ""
        self._began = self._called = False

    def refused(self, problem: Problem) -> TrioResponse:
        return refusal(problem)

    def document(self, chunk: Chunk) -> TrioResponse:
        """Answer with a whole generation."""
        assert chunk.done is not None
        blocks: list[Json] = []
        if chunk.thinking:
            blocks.append({"type": "thinking", "thinking": chunk.thinking})
        if chunk.content:
            blocks.append({"type": "text", "text": chunk.content})
        blocks += [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}
            for call in chunk.tool_calls
        ]
        stopped = self._stopped(chunk.done, called=bool(chunk.tool_calls))
        answer = {"content": blocks, **stopped, "usage": _usage(chunk.done)}
        said = self.finish(chunk.done)
        return self.answer(self._head | answer | said, chunk, PLAIN_JSON)

    def write(self, item: Chunk) -> bytes:
        return self._start() + super().write(item)

    def failed(self, problem: Problem) -> bytes:
        return b"event: error\ndata: " + dumps(body_of(problem)) + b"\n\n"

    def _start(self) -> bytes:
        if self._began:
            return b""
        self._began = True
        usage = {"input_tokens": self._estimate, "output_tokens": 0}
        message = self._head | {"content": [], "usage": usage}
        return _event({"type": "message_start", "message": message})

    def write_chunk(self, chunk: Chunk) -> bytes:
        written = b""
        if chunk.thinking:
            written += self._grow("thinking", "thinking", chunk.thinking)
        if chunk.content:
            written += self._grow("text", "text", chunk.content)
        for call in chunk.tool_calls:
            written += self._call(call)
        if chunk.done is not None:
            written += self._stop() + self._final(chunk.done)
        return written

    def _grow(self, kind: str, key: str, added: str) -> bytes:
        opened = b""
        if self._open != kind:
            opened = self._stop() + self._block({"type": kind, key: ""})
            self._open = kind
            # What every delta of this block begins with.
            self._before = (
                f'event: content_block_delta\ndata: {{"type":"content_block_delta",'
                f'"index":{self._index},"delta":{{"type":"{kind}_delta","{key}":'
            )
        return opened + to_bytes(f"{self._before}{quote(added)}}}}}\n\n")

    def _call(self, call: ToolCall) -> bytes:
        self._called = True
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": text(call.arguments)}
        written = self._stop() + self._block(block)
        self._open = "tool_use"
        written += _event({"type": "content_block_delta", "index": self._index, "delta": delta})
        return written + self._stop()

    def _block(self, block: Json) -> bytes:
        start = {"type": "content_block_start", "index": self._index, "content_block": block}
        return _event(start)

    def _stop(self) -> bytes:
        if not self._open:
            return b""
        stopped = _event({"type": "content_block_stop", "index": self._index})
        self._open = ""
        self._index += 1
        return stopped

    def _final(self, done: Done) -> bytes:
        delta = self._stopped(done, called=self._called)
        last = {"type": "message_delta", "delta": delta, "usage": _usage(done)} | self.finish(done)
        return _event(last) + _event({"type": "message_stop"})

    def _stopped(self, done: Done, *, called: bool) -> Json:
        """Say why the message ended."""
        if called:
            return {"stop_reason": "tool_use"}
        if done.reason == "length":
            return {"stop_reason": "max_tokens"}
        if done.stop_sequence and done.stop_sequence in self._stops:
            return {"stop_reason": "stop_sequence", "stop_sequence": done.stop_sequence}
        return {"stop_reason": "end_turn"}


def blueprint(edge: Edge) -> Blueprint:
    """Make the routes."""
    api = Blueprint("anthropic_messages", __name__)
    install(api, edge, refusal)
    limit = edge.settings.max_request_bytes

    @api.after_request
    async def name(response: Response) -> Response:
        response.headers["Request-Id"] = request_id()
        return response

    @api.post("/v1/messages")
    async def messages() -> Response:
        body, request = await read(MessagesBody, messages_request, limit)
        frames = MessageFrames(body, edge.metrics)
        return await respond(edge, request, frames, stream=body.stream)

    @api.post("/v1/messages/count_tokens")
    async def count_tokens() -> Response:
        _, request = await read(MessagesBody, conversation_request, limit)
        made = await edge.only("/prompts", _question(request))
        counted = {"input_tokens": len(made.tokens) + made.truncated_tokens}
        return json_response(counted, content_type=PLAIN_JSON)

    return api


def _question(request: GenerateRequest) -> RenderPrompt:
    """Ask for the prompt that a message would have."""
    return RenderPrompt(
        client_of_request(),
        request.messages,
        model=request.model,
        tools=request.tools,
        think=request.think,
        options=request.options,
        keep_alive=request.keep_alive,
        drop_unsupported_thinking=True,
    )
