"""`/v1/completions`."""

import time
from typing import Any

from quart import Blueprint
from quart.wrappers import Response
from quart_trio.wrappers import TrioResponse

from actorllm.http.edge import Edge
from actorllm.http.frames import GenerationFrames, respond
from actorllm.http.metrics import Metrics
from actorllm.http.openai.chat_body import DEFAULTS
from actorllm.http.openai.parts import (
    DONE,
    FINGERPRINT,
    StreamOptionsBody,
    event,
    go_type,
    identifier,
    sampling,
    usage,
)
from actorllm.http.openai.refusals import body_of, refusal
from actorllm.http.v1 import PLAIN_JSON, install, read
from actorllm.http.wire.binding import FLOAT32, body, given
from actorllm.protocol.errors import Problem, Refused
from actorllm.protocol.messages.generation import Chunk, GenerateRequest

__all__ = ["blueprint"]

Json = dict[str, Any]


@body("openai.CompletionRequest")
class CompletionBody:
    """Body of `/v1/completions`."""

    model: str = ""
    prompt: str = ""
    frequency_penalty: float = given(default=0.0, kind=FLOAT32)
    max_tokens: int | None = None
    presence_penalty: float = given(default=0.0, kind=FLOAT32)
    seed: int | None = None
    stop: Any = None
    stream: bool = False
    stream_options: StreamOptionsBody | None = None
    temperature: float | None = given(default=None, kind=FLOAT32)
    top_p: float = given(default=0.0, kind=FLOAT32)
    suffix: str = ""
    logprobs: int | None = None
    """Taken and not returned, as the reference does."""
    render_only: bool = given(default=False, key="_debug_render_only")


def _stop(value: Any) -> list[str] | None:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        return None
    for item in value:
        if not isinstance(item, str):
            raise Refused.because(400, f"invalid type for 'stop' field: {go_type(item)}")
    return value


def completion_request(body: CompletionBody) -> GenerateRequest:
    """Translate a body.

    Raises:
        Refused: 400, a stop sequence is no text.
    """
    return GenerateRequest(
        model=body.model,
        kind="generate",
        prompt=body.prompt,
        suffix=body.suffix,
        options=sampling(
            num_predict=body.max_tokens,
            seed=body.seed,
            stop=_stop(body.stop),
            temperature=body.temperature,
            frequency_penalty=body.frequency_penalty,
            presence_penalty=body.presence_penalty,
            top_p=body.top_p or None,
        ),
        default_options=DEFAULTS,
        render_only=body.render_only,
    )


class CompletionFrames(GenerationFrames):
    """A completion as OpenAI's clients read it."""

    def __init__(self, model: str, metrics: Metrics, *, with_usage: bool) -> None:
        super().__init__(metrics)
        self._with_usage = with_usage
        self._head: Json = {
            "id": identifier("cmpl"),
            "object": "text_completion",
            "created": int(time.time()),
        }
        self._tail: Json = {"model": model, "system_fingerprint": FINGERPRINT}

    def refused(self, problem: Problem) -> TrioResponse:
        return refusal(problem)

    def document(self, chunk: Chunk) -> TrioResponse:
        """Answer with a whole generation."""
        assert chunk.done is not None
        choice = {"text": chunk.content, "index": 0, "finish_reason": chunk.done.reason or None}
        counted = {"choices": [choice], "usage": usage(chunk.done)}
        answer = self._head | self._tail | counted | self.finish(chunk.done)
        return self.answer(answer, chunk, PLAIN_JSON)

    def end(self) -> bytes:
        return super().end() or DONE

    def failed(self, problem: Problem) -> bytes:
        return event(body_of(problem)) + DONE

    def write_chunk(self, chunk: Chunk) -> bytes:
        done = chunk.done
        reason = done.reason if done is not None else None
        choice = {"text": chunk.content, "index": 0, "finish_reason": reason}
        zeros = {"usage": usage(None)} if self._with_usage else {}
        said = self.finish(done) if done is not None else {}
        written = event(self._head | {"choices": [choice]} | self._tail | zeros | said)
        if done is not None and self._with_usage:
            counted = {"choices": [], **self._tail, "usage": usage(done)}
            written += event(self._head | counted)
        return written


def blueprint(edge: Edge) -> Blueprint:
    """Make the route."""
    api = Blueprint("openai_completions", __name__)
    install(api, edge, refusal)

    @api.post("/v1/completions")
    async def completions() -> Response:
        body, request = await read(
            CompletionBody, completion_request, edge.settings.max_request_bytes
        )
        with_usage = body.stream_options is not None and body.stream_options.include_usage
        frames = CompletionFrames(body.model, edge.metrics, with_usage=with_usage)
        return await respond(edge, request, frames, stream=body.stream)

    return api
