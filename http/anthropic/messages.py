"""`/v1/messages`."""

import secrets
from collections.abc import Sequence
from typing import Any

from quart import Blueprint
from quart.wrappers import Response
from quart_trio.wrappers import TrioResponse

from actorllm.http.anthropic.request import MessagesBody, estimate_tokens, messages_request
from actorllm.http.edge import Edge
from actorllm.http.frames import GenerationFrames, respond
from actorllm.http.metrics import Metrics
from actorllm.http.v1 import PLAIN_JSON, install, read, refuse_with
from actorllm.protocol.chat import ToolCall
from actorllm.protocol.errors import Problem
from actorllm.protocol.gojson import dumps, quote, text, to_bytes
from actorllm.protocol.messages.generation import Chunk, Done

__all__ = ["blueprint"]

Json = dict[str, Any]

_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    529: "overloaded_error",
}


def _body_of(problem: Problem) -> Json:
    return {
        "type": "error",
        "error": {"type": _KINDS.get(problem.status, "api_error"), "message": problem.text},
        "request_id": f"req_{secrets.token_hex(12)}",
    }


_refusal = refuse_with(_body_of)


def _event(value: Json) -> bytes:
    name: str = value["type"]
    return b"event: " + name.encode() + b"\ndata: " + dumps(value) + b"\n\n"


def _usage(done: Done) -> Json:
    return {"input_tokens": done.prompt_eval_count, "output_tokens": done.eval_count}


def _stop_reason(done: Done, *, called: bool) -> str:
    if called:
        return "tool_use"
    return "max_tokens" if done.reason == "length" else "end_turn"


class MessageFrames(GenerationFrames):
    """A message as Anthropic's clients read it: blocks that start, grow and stop."""

    def __init__(self, model: str, estimate: int, metrics: Metrics) -> None:
        super().__init__(metrics)
        self._head: Json = {
            "id": f"msg_{secrets.token_hex(12)}",
            "type": "message",
            "role": "assistant",
            "model": model,
        }
        self._estimate = estimate
        self._open = ""
        """Type of the block that grows."""
        self._index = 0
        self._before = ""
        self._began = self._called = False

    def refused(self, problem: Problem) -> TrioResponse:
        return _refusal(problem)

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
        reason = _stop_reason(chunk.done, called=bool(chunk.tool_calls))
        answer = {"content": blocks, "stop_reason": reason, "usage": _usage(chunk.done)}
        said = self.finish(chunk.done)
        return self.answer(self._head | answer | said, chunk, PLAIN_JSON)

    def write(self, items: Sequence[Chunk]) -> bytes:
        return self._start() + super().write(items)

    def failed(self, problem: Problem) -> bytes:
        return b"event: error\ndata: " + dumps(_body_of(problem)) + b"\n\n"

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
        delta = {"stop_reason": _stop_reason(done, called=self._called)}
        last = {"type": "message_delta", "delta": delta, "usage": _usage(done)} | self.finish(done)
        return _event(last) + _event({"type": "message_stop"})


def blueprint(edge: Edge) -> Blueprint:
    """Make the route."""
    api = Blueprint("anthropic_messages", __name__)
    install(api, edge, _refusal)

    @api.post("/v1/messages")
    async def messages() -> Response:
        limit = edge.settings.max_request_bytes
        body, request = await read(MessagesBody, messages_request, limit)
        frames = MessageFrames(body.model, estimate_tokens(body), edge.metrics)
        return await respond(edge, request, frames, stream=body.stream)

    return api
