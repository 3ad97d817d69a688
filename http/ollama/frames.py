"""How `/api` writes generations: one JSON object per line, keys in the reference's order."""

import time
from collections.abc import Sequence
from typing import Any, ClassVar

from quart_trio.wrappers import TrioResponse

from actorllm.http.errors import JSON, PLAIN_JSON, refusal
from actorllm.http.facts import debug_info, logprobs
from actorllm.http.frames import GenerationFrames
from actorllm.http.metrics import Metrics
from actorllm.http.stream import NDJSON
from actorllm.protocol.chat import ToolCall
from actorllm.protocol.durations import format_time
from actorllm.protocol.errors import Problem
from actorllm.protocol.gojson import dumps, quote, to_bytes
from actorllm.protocol.messages.generation import Chunk, Done

__all__ = ["ChatFrames", "GenerateFrames", "tool_calls"]

Json = dict[str, Any]

_NOT_STREAMED = frozenset({"load", "unload", ""})
_METRICS = (
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
)


class _Frames(GenerationFrames):
    """What both routes share. The frames of plain text are put together without a dict."""

    content_type: ClassVar[str] = NDJSON

    def __init__(self, model: str, metrics: Metrics) -> None:
        super().__init__(metrics)
        self._model = model
        self._before = '{"model":' + quote(model) + ',"created_at":"'

    def whole(self, first: Chunk) -> TrioResponse | None:
        """Answer a load, an unload or a rendered prompt with one document."""
        if first.done is None or first.done.reason not in _NOT_STREAMED:
            return None
        return self.document(first)

    def document(self, chunk: Chunk) -> TrioResponse:
        """Answer with a whole generation."""
        return self.answer(self.frame(chunk), chunk, JSON)

    def refused(self, problem: Problem) -> TrioResponse:
        return refusal(problem, content_type=PLAIN_JSON if problem.by_runner else JSON)

    def failed(self, problem: Problem) -> bytes:
        return dumps({"error": problem.text}) + b"\n"

    def frame(self, chunk: Chunk) -> Json:
        """Return the JSON object of a chunk."""
        raise NotImplementedError

    def _text_line(self, content: str, now: str) -> str:
        raise NotImplementedError

    def write_chunk(self, chunk: Chunk) -> bytes:
        if chunk.done is None and not (chunk.thinking or chunk.tool_calls or chunk.logprobs):
            return to_bytes(self._text_line(chunk.content, format_time(time.time_ns())))
        return dumps(self.frame(chunk)) + b"\n"

    def _head(self) -> Json:
        return {"model": self._model, "created_at": format_time(time.time_ns())}


class GenerateFrames(_Frames):
    """`/api/generate`."""

    def _text_line(self, content: str, now: str) -> str:
        return f'{self._before}{now}","response":{quote(content)},"done":false}}\n'

    def frame(self, chunk: Chunk) -> Json:
        done = chunk.done
        rendered = done is not None and done.rendered is not None
        frame = self._head() | {"response": chunk.content}
        if chunk.thinking:
            frame["thinking"] = chunk.thinking
        frame["done"] = done is not None and not rendered
        if done is not None:
            if done.reason:
                frame["done_reason"] = done.reason
            if done.context:
                frame["context"] = done.context
            frame |= _metrics(done)
        if chunk.tool_calls:
            frame["tool_calls"] = tool_calls(chunk.tool_calls)
        if done is not None:
            frame |= debug_info(done)
        if chunk.logprobs:
            frame["logprobs"] = logprobs(chunk.logprobs)
        if done is not None:
            frame |= self.finish(done)
        return frame


class ChatFrames(_Frames):
    """`/api/chat`."""

    def _text_line(self, content: str, now: str) -> str:
        return (
            f'{self._before}{now}","message":{{"role":"assistant","content":{quote(content)}}},'
            '"done":false}\n'
        )

    def frame(self, chunk: Chunk) -> Json:
        done = chunk.done
        rendered = done is not None and done.rendered is not None
        said: Json = {"role": "" if rendered else "assistant", "content": chunk.content}
        if chunk.thinking:
            said["thinking"] = chunk.thinking
        if chunk.tool_calls:
            said["tool_calls"] = tool_calls(chunk.tool_calls)
        frame = self._head() | {"message": said, "done": done is not None and not rendered}
        if done is not None and done.reason:
            frame["done_reason"] = done.reason
        if done is not None:
            frame |= debug_info(done)
        if chunk.logprobs:
            frame["logprobs"] = logprobs(chunk.logprobs)
        if done is not None:
            frame |= _metrics(done) | self.finish(done)
        return frame


def tool_calls(calls: Sequence[ToolCall]) -> list[Json]:
    """Write tool calls as `/api` does."""
    return [
        ({"id": call.id} if call.id else {})
        | {"function": {"index": call.index, "name": call.name, "arguments": call.arguments}}
        for call in calls
    ]


def _metrics(done: Done) -> Json:
    if done.rendered is not None:
        return {}
    return {key: value for key in _METRICS if (value := getattr(done, key))}
