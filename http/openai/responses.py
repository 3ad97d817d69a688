"""`/v1/responses`."""

from collections.abc import Sequence
from typing import Any

from quart import Blueprint
from quart.wrappers import Response
from quart_trio.wrappers import TrioResponse

from actorllm.http.edge import Edge
from actorllm.http.frames import GenerationFrames, respond
from actorllm.http.metrics import Metrics
from actorllm.http.openai.refusals import refusal
from actorllm.http.openai.responses_body import ResponsesBody, responses_request
from actorllm.http.openai.responses_object import (
    ResponseObject,
    call_item,
    message_item,
    numbered,
    reasoning_item,
    sort,
    text_part,
)
from actorllm.http.v1 import PLAIN_JSON, install, read
from actorllm.protocol.chat import ToolCall
from actorllm.protocol.errors import Problem
from actorllm.protocol.gojson import dumps
from actorllm.protocol.messages.generation import Chunk, Done

__all__ = ["blueprint"]

Json = dict[str, Any]


class ResponseFrames(GenerationFrames):
    """A response as a sequence of numbered events; items are opened, grown and closed."""

    def __init__(self, body: ResponsesBody, metrics: Metrics) -> None:
        super().__init__(metrics)
        self._object = ResponseObject(body)
        self._number = 0
        self._output: list[Json] = []
        self._open = ""
        """What grows: `reasoning`, `message` or nothing."""
        self._id = ""
        self._grown: list[str] = []

    def refused(self, problem: Problem) -> TrioResponse:
        return refusal(problem)

    def document(self, chunk: Chunk) -> TrioResponse:
        """Answer with a whole generation."""
        assert chunk.done is not None
        id_ = self._object.id
        output = [reasoning_item(f"rs_{id_}", chunk.thinking)] if chunk.thinking else []
        if chunk.content or not chunk.tool_calls:
            output.append(message_item(numbered("msg"), chunk.content))
        output += [call_item(f"fc_{id_}_{i}", c) for i, c in enumerate(chunk.tool_calls)]
        answer = self._object.write(output, chunk.done)
        return self.answer(answer | self.finish(chunk.done), chunk, PLAIN_JSON)

    def write(self, items: Sequence[Chunk]) -> bytes:
        return (b"" if self._number else self._start()) + super().write(items)

    def failed(self, problem: Problem) -> bytes:
        response = self._object.write(self._output, None, status="failed")
        response["error"] = {"code": "server_error", "message": problem.text}
        return self._event("response.failed", response=sort(response))

    def _event(self, kind: str, **facts: Any) -> bytes:
        facts |= {"type": kind, "sequence_number": self._number}
        self._number += 1
        data = dumps({key: facts[key] for key in sorted(facts)})
        return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"

    def _of_item(self, kind: str, **facts: Any) -> bytes:
        return self._event(kind, output_index=len(self._output), **facts)

    def _start(self) -> bytes:
        response = sort(self._response(None, status="in_progress"))
        return self._event("response.created", response=response) + self._event(
            "response.in_progress", response=response
        )

    def _response(self, done: Done | None, *, status: str = "completed") -> Json:
        response = self._object.write(self._output, done, status=status)
        if response["reasoning"] is not None:
            response["reasoning"].setdefault("summary", None)
        return response

    def write_chunk(self, chunk: Chunk) -> bytes:
        written = b""
        if chunk.thinking:
            written += self._think(chunk.thinking)
        if chunk.content:
            written += self._say(chunk.content)
        for call in chunk.tool_calls:
            written += self._close() + self._call(call)
        return written + (self._final(chunk.done) if chunk.done is not None else b"")

    def _think(self, added: str) -> bytes:
        opened = b""
        if self._open != "reasoning":
            opened = self._close()
            self._open, self._id = "reasoning", numbered("rs")
            item = {"id": self._id, "summary": [], "type": "reasoning"}
            opened += self._of_item("response.output_item.added", item=item)
        self._grown.append(added)
        kind = "response.reasoning_summary_text.delta"
        return opened + self._of_item(kind, delta=added, item_id=self._id, summary_index=0)

    def _say(self, added: str) -> bytes:
        opened = b"" if self._open == "message" else self._close() + self._open_message()
        self._grown.append(added)
        return opened + self._of_item(
            "response.output_text.delta",
            content_index=0,
            delta=added,
            item_id=self._id,
            logprobs=(),
        )

    def _open_message(self) -> bytes:
        self._open, self._id = "message", numbered("msg")
        item = sort(message_item(self._id, "") | {"content": [], "status": "in_progress"})
        return self._of_item("response.output_item.added", item=item) + self._of_item(
            "response.content_part.added",
            content_index=0,
            item_id=self._id,
            part=sort(text_part("")),
        )

    def _close(self) -> bytes:
        """End the item that grows."""
        grown, kind = "".join(self._grown), self._open
        self._grown, self._open = [], ""
        if kind == "reasoning":
            done = self._of_item(
                "response.reasoning_summary_text.done",
                item_id=self._id,
                summary_index=0,
                text=grown,
            )
            return done + self._done(reasoning_item(self._id, grown))
        if kind == "message":
            place = {"content_index": 0, "item_id": self._id}
            done = self._of_item("response.output_text.done", **place, logprobs=(), text=grown)
            part = sort(text_part(grown))
            done += self._of_item("response.content_part.done", **place, part=part)
            return done + self._done(message_item(self._id, grown))
        return b""

    def _call(self, call: ToolCall) -> bytes:
        id_ = numbered("fc")
        item = call_item(id_, call)
        begun = sort(item | {"arguments": "", "status": "in_progress"})
        arguments = item["arguments"]
        return (
            self._of_item("response.output_item.added", item=begun)
            + self._of_item("response.function_call_arguments.delta", item_id=id_, delta=arguments)
            + self._of_item(
                "response.function_call_arguments.done", item_id=id_, arguments=arguments
            )
            + self._done(item)
        )

    def _done(self, item: Json) -> bytes:
        written = self._of_item("response.output_item.done", item=sort(item))
        self._output.append(item)
        return written

    def _final(self, done: Done) -> bytes:
        written = b"" if self._open or self._output else self._open_message()
        written += self._close()
        response = sort(self._response(done)) | self.finish(done)
        return written + self._event("response.completed", response=response)


def blueprint(edge: Edge) -> Blueprint:
    """Make the route."""
    api = Blueprint("openai_responses", __name__)
    install(api, edge, refusal)

    @api.post("/v1/responses")
    async def responses() -> Response:
        body, request = await read(
            ResponsesBody, responses_request, edge.settings.max_request_bytes
        )
        frames = ResponseFrames(body, edge.metrics)
        return await respond(edge, request, frames, stream=body.stream)

    return api
