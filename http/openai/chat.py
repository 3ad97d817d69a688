"""`/v1/chat/completions`."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from quart import Blueprint
from quart.wrappers import Response
from quart_trio.wrappers import TrioResponse

from actorllm.http.edge import Edge
from actorllm.http.facts import debug_info
from actorllm.http.frames import respond
from actorllm.http.metrics import Metrics
from actorllm.http.openai.chat_body import ChatCompletionBody, chat_request
from actorllm.http.openai.choices import ChoiceFrames, repeated, respond_with_choices
from actorllm.http.openai.parts import (
    FINGERPRINT,
    event,
    finish_reason,
    identifier,
    usage,
    written_calls,
    written_logprobs,
)
from actorllm.http.openai.refusals import refusal
from actorllm.http.v1 import PLAIN_JSON, install, read
from actorllm.protocol.gojson import quote, text, to_bytes
from actorllm.protocol.messages.generation import Chunk, Done

__all__ = ["blueprint"]

Json = dict[str, Any]


def chat_head(model: str) -> Json:
    """What all documents of an answer begin with."""
    return {
        "id": identifier("chatcmpl"),
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": model,
        "system_fingerprint": FINGERPRINT,
    }


class ChatFrames(ChoiceFrames):
    """A chat as OpenAI's clients read it.

    Args:
        head: See `chat_head`; the choices of an answer share one.
        metrics: Told when the generation has ended.
        with_usage: A stream ends with a count of tokens.
        index: Of the choice; None: there is one alone, which ends the stream.
    """

    def __init__(
        self,
        head: Json,
        metrics: Metrics,
        *,
        with_usage: bool,
        index: int | None = None,
    ) -> None:
        super().__init__(metrics)
        self._with_usage = with_usage
        self._alone = index is None
        self._index = index or 0
        self._head = head
        before = text(self._head).removesuffix("}")
        choice = f'"choices":[{{"index":{self._index},"delta":{{"content":'
        self._before = f"data: {before},{choice}"
        self._began = self._called = False

    def whole(self, first: Chunk) -> TrioResponse | None:
        """Answer a rendered prompt with one document."""
        if first.done is not None and first.done.rendered is not None:
            return self.document(first)
        return None

    def document(self, chunk: Chunk) -> TrioResponse:
        """Answer with a whole generation."""
        assert chunk.done is not None
        answer = self.envelope([self.choice(chunk)], usage(chunk.done))
        said = debug_info(chunk.done) | self.finish(chunk.done)
        return self.answer(answer | said, chunk, PLAIN_JSON)

    def choice(self, chunk: Chunk) -> Json:
        assert chunk.done is not None
        role = "assistant" if chunk.done.rendered is None else ""  # nobody has said anything
        message: Json = {"role": role, "content": chunk.content}
        if chunk.thinking:
            message["reasoning"] = chunk.thinking
        if chunk.tool_calls:
            message["tool_calls"] = written_calls(chunk.tool_calls)
        reason = finish_reason(chunk.done, called=bool(chunk.tool_calls))
        choice = {"index": self._index, "message": message, "finish_reason": reason or None}
        return choice | written_logprobs(chunk.logprobs)

    def envelope(self, choices: Sequence[Json], counted: Json) -> Json:
        return self._head | {"object": "chat.completion", "choices": choices, "usage": counted}

    def usage_event(self, counted: Json) -> bytes:
        if not self._with_usage:
            return b""
        return event(self._head | {"choices": [], "usage": counted})

    def write_chunk(self, chunk: Chunk) -> bytes:
        plain = chunk.done is None and not (chunk.thinking or chunk.tool_calls or chunk.logprobs)
        if plain and self._began:
            return to_bytes(f'{self._before}{quote(chunk.content)}}},"finish_reason":null}}]}}\n\n')
        written = b""
        if chunk.thinking:
            thought = {"content": "", "reasoning": chunk.thinking}
            written += self._delta(thought, **written_logprobs(chunk.logprobs))
        elif chunk.content or chunk.tool_calls or chunk.logprobs:
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
        choice = {"index": self._index, "delta": delta, "finish_reason": None} | more
        return event(self._head | {"choices": [choice]})

    def _final(self, done: Done) -> bytes:
        opened = b"" if self._began else self._delta({"content": ""})
        reason = finish_reason(done, called=self._called)
        choice = {"index": self._index, "delta": {}, "finish_reason": reason}
        written = event(self._head | {"choices": [choice]} | self.finish(done))
        return opened + written + (self.usage_event(usage(done)) if self._alone else b"")


def blueprint(edge: Edge) -> Blueprint:
    """Make the route."""
    api = Blueprint("openai_chat", __name__)
    install(api, edge, refusal)

    @api.post("/v1/chat/completions")
    async def chat() -> Response:
        body, request = await read(
            ChatCompletionBody, chat_request, edge.settings.max_request_bytes
        )
        make = partial(
            ChatFrames,
            chat_head(body.model),
            edge.metrics,
            with_usage=body.wants_usage,
        )
        n = 1 if body.n is None else body.n
        if n == 1:
            return await respond(edge, request, make(), stream=body.stream)
        wanted = repeated([request], n)
        parts = [make(index=index) for index in range(n)]
        return await respond_with_choices(edge, wanted, parts, per_prompt=n, stream=body.stream)

    return api
