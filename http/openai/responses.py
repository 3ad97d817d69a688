"""`/v1/responses`: answers with items, which can be gone on from."""

from functools import partial
from typing import Any

from quart import Blueprint
from quart.wrappers import Response
from quart_trio.wrappers import TrioResponse

from actorllm.http.edge import Edge
from actorllm.http.errors import json_response
from actorllm.http.frames import GenerationFrames
from actorllm.http.generation import check_request, client_of_request, collect, generate
from actorllm.http.metrics import Metrics
from actorllm.http.openai.kept import Keeper, is_id, keeping
from actorllm.http.openai.refusals import refusal
from actorllm.http.openai.responses_body import ResponsesBody, responses_request
from actorllm.http.openai.responses_object import (
    INCOMPLETE,
    ResponseObject,
    call_item,
    message_item,
    numbered,
    reasoning_item,
    sort,
    text_part,
)
from actorllm.http.respond import not_found
from actorllm.http.stream import Streamed
from actorllm.http.v1 import PLAIN_JSON, install, read
from actorllm.protocol.chat import ToolCall
from actorllm.protocol.errors import Problem
from actorllm.protocol.gojson import dumps
from actorllm.protocol.messages.generation import Chunk, Done
from actorllm.protocol.messages.responses import FindResponse, ForgetResponse

__all__ = ["blueprint"]

Json = dict[str, Any]


class ResponseFrames(GenerationFrames):
    """A response as a sequence of numbered events; items are opened, grown and closed.

    The last event waits for the end of the stream, since the answer is kept before.
    """

    def __init__(self, body: ResponsesBody, metrics: Metrics) -> None:
        super().__init__(metrics)
        self._object = ResponseObject(body)
        self._number = 0
        self._output: list[Json] = []
        self._open = ""
        """What grows: `reasoning`, `message` or nothing."""
        self._id = ""
        self._grown: list[str] = []
        self.response: Json | None = None
        """The whole answer, once there is nothing more to come."""

    def refused(self, problem: Problem) -> TrioResponse:
        return refusal(problem)

    def document(self, chunk: Chunk) -> TrioResponse:
        """Answer with a whole generation, which `complete` was told of."""
        assert self.response is not None
        return self.answer(self.response, chunk, PLAIN_JSON)

    def complete(self, chunk: Chunk) -> Json:
        """Make the response of a whole generation."""
        assert chunk.done is not None
        id_, status = self._object.id, _status(chunk.done)
        output = [reasoning_item(f"rs_{id_}", chunk.thinking)] if chunk.thinking else []
        if chunk.content or not chunk.tool_calls:
            output.append(message_item(numbered("msg"), chunk.content, status))
        output += [call_item(f"fc_{id_}_{i}", c) for i, c in enumerate(chunk.tool_calls)]
        answer = self._object.write(output, chunk.done, status=status)
        self.response = answer | self.finish(chunk.done)
        return self.response

    def not_kept(self, why: str) -> None:
        """Say that the response is not kept, though it should be."""
        assert self.response is not None
        said = self.response.setdefault("actorllm", {})
        said["notices"] = [*said.get("notices", ()), why]

    def write(self, item: Chunk) -> bytes:
        return (b"" if self._number else self._start()) + super().write(item)

    def end(self) -> bytes:
        if self.response is None:
            return super().end()
        kind = f"response.{self.response['status']}"
        return self._event(kind, response=self.response)

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
            response["reasoning"] = {"effort": None, "summary": None} | response["reasoning"]
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

    def _close(self, status: str = "completed") -> bytes:
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
            return done + self._done(message_item(self._id, grown, status))
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
        status = _status(done)
        written = b"" if self._open or self._output else self._open_message()
        written += self._close(status)
        self.response = sort(self._response(done, status=status)) | self.finish(done)
        return written


def _status(done: Done) -> str:
    return INCOMPLETE if done.reason == "length" else "completed"


async def _answer(edge: Edge, body: ResponsesBody) -> Response:
    keeper = await Keeper.of(edge, body)
    wanted = responses_request(body, keeper.earlier)
    check_request(wanted)
    frames = ResponseFrames(body, edge.metrics)
    client = client_of_request()

    async def keep() -> None:
        if frames.response is not None:
            why = await keeper.keep(frames.response)
            if why:
                frames.not_kept(why)

    if body.stream:
        source = partial(generate, edge, wanted, client)
        return Streamed(lambda: keeping(source(), keep), frames, edge.log)
    chunk = await collect(edge, wanted, client)
    frames.complete(chunk)
    await keep()
    return frames.document(chunk)


def blueprint(edge: Edge) -> Blueprint:
    """Make the routes."""
    api = Blueprint("openai_responses", __name__)
    install(api, edge, refusal)

    @api.post("/v1/responses")
    async def responses() -> Response:
        limit = edge.settings.max_request_bytes
        body, _ = await read(ResponsesBody, responses_request, limit)
        return await _answer(edge, body)

    @api.get("/v1/responses/<id>")
    async def response(id: str) -> Response:  # noqa: A002 -- as the route calls it
        if not is_id(id):
            return not_found()
        kept = await edge.ask("/responses", FindResponse(id))
        return TrioResponse(kept.response, content_type=PLAIN_JSON)

    @api.delete("/v1/responses/<id>")
    async def delete(id: str) -> Response:  # noqa: A002 -- as the route calls it
        if not is_id(id):
            return not_found()
        await edge.order("/responses", ForgetResponse(id))
        gone = {"id": id, "object": "response", "deleted": True}
        return json_response(gone, content_type=PLAIN_JSON)

    return api
