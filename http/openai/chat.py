"""`/v1/chat/completions`."""

import time
from typing import Any

from quart import Blueprint
from quart.wrappers import Response
from quart_trio.wrappers import TrioResponse

from actorllm.http.edge import Edge
from actorllm.http.facts import debug_info
from actorllm.http.frames import GenerationFrames, respond
from actorllm.http.metrics import Metrics
from actorllm.http.openai.chat_body import ChatCompletionBody, chat_request
from actorllm.http.openai.parts import (
    DONE,
    FINGERPRINT,
    event,
    finish_reason,
    identifier,
    usage,
    written_calls,
    written_logprobs,
)
from actorllm.http.openai.refusals import body_of, refusal
from actorllm.http.v1 import PLAIN_JSON, install, read
from actorllm.protocol.errors import Problem
from actorllm.protocol.gojson import quote, text, to_bytes
from actorllm.protocol.messages.generation import Chunk, Done

__all__ = ["blueprint"]

Json = dict[str, Any]


class ChatFrames(GenerationFrames):
    """A chat as OpenAI's clients read it."""

    def __init__(self, model: str, metrics: Metrics, *, with_usage: bool) -> None:
        super().__init__(metrics)
        self._with_usage = with_usage
        self._head: Json = {
            "id": identifier("chatcmpl"),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": FINGERPRINT,
        }
        head = text(self._head).removesuffix("}")
        self._before = f'data: {head},"choices":[{{"index":0,"delta":{{"content":'
        self._began = self._called = False

    def whole(self, first: Chunk) -> TrioResponse | None:
        """Answer a rendered prompt with one document."""
        if first.done is not None and first.done.rendered is not None:
            return self.document(first)
        return None

    def refused(self, problem: Problem) -> TrioResponse:
        return refusal(problem)

    def document(self, chunk: Chunk) -> TrioResponse:
        """Answer with a whole generation."""
        assert chunk.done is not None
        message: Json = {"role": "assistant", "content": chunk.content}
        if chunk.thinking:
            message["reasoning"] = chunk.thinking
        if chunk.tool_calls:
            message["tool_calls"] = written_calls(chunk.tool_calls)
        reason = finish_reason(chunk.done, called=bool(chunk.tool_calls))
        choice = {"index": 0, "message": message, "finish_reason": reason or None}
        answer = self._head | {
            "object": "chat.completion",
            "choices": [choice | written_logprobs(chunk.logprobs)],
            "usage": usage(chunk.done),
        }
        said = debug_info(chunk.done) | self.finish(chunk.done)
        return self.answer(answer | said, chunk, PLAIN_JSON)

    def end(self) -> bytes:
        return super().end() or DONE

    def failed(self, problem: Problem) -> bytes:
        return event(body_of(problem)) + DONE

    def write_chunk(self, chunk: Chunk) -> bytes:
        plain = chunk.done is None and not (chunk.thinking or chunk.tool_calls or chunk.logprobs)
        if plain and self._began:
            return to_bytes(f'{self._before}{quote(chunk.content)}}},"finish_reason":null}}]}}\n\n')
        written = b""
        if chunk.thinking:
            written += self._delta({"content": "", "reasoning": chunk.thinking})
        if chunk.content or chunk.tool_calls or chunk.logprobs:
            calls = {"tool_calls": written_calls(chunk.tool_calls)} if chunk.tool_calls else {}
            self._called = self._called or bool(calls)
            written += self._delta(
                {"content": chunk.content} | calls, **written_logprobs(chunk.logprobs)
            )
        return written + (self._final(chunk.done) if chunk.done is not None else b"")

    def _delta(self, delta: Json, **more: Any) -> bytes:
        if not self._began:
            self._began = True
            delta = {"role": "assistant"} | delta
        choice = {"index": 0, "delta": delta, "finish_reason": None} | more
        return event(self._head | {"choices": [choice]})

    def _final(self, done: Done) -> bytes:
        reason = finish_reason(done, called=self._called)
        choice = {"index": 0, "delta": {}, "finish_reason": reason}
        written = event(self._head | {"choices": [choice]} | self.finish(done))
        if self._with_usage:
            written += event(self._head | {"choices": [], "usage": usage(done)})
        return written


def blueprint(edge: Edge) -> Blueprint:
    """Make the route."""
    api = Blueprint("openai_chat", __name__)
    install(api, edge, refusal)

    @api.post("/v1/chat/completions")
    async def chat() -> Response:
        body, request = await read(
            ChatCompletionBody, chat_request, edge.settings.max_request_bytes
        )
        frames = ChatFrames(body.model, edge.metrics, with_usage=body.wants_usage)
        return await respond(edge, request, frames, stream=body.stream)

    return api
