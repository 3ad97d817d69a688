"""Long jobs that report their steps: creations and transfers."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import ClassVar

from quart.wrappers import Response
from quart_trio.wrappers import TrioResponse

from actorllm.actors.kernel import Items
from actorllm.http.edge import Edge
from actorllm.http.errors import PLAIN_JSON, json_response, refusal
from actorllm.http.stream import NDJSON, Streamed
from actorllm.protocol.chat import JsonObject
from actorllm.protocol.errors import Problem, Refused
from actorllm.protocol.gojson import dumps
from actorllm.protocol.messages.building import CreateStatus

__all__ = ["answer"]


class _StepFrames:
    """Steps, a line each."""

    content_type: ClassVar[str] = NDJSON

    def headers(self, first: CreateStatus) -> dict[str, str]:
        return {}

    def whole(self, first: CreateStatus) -> TrioResponse | None:
        return None

    def refused(self, problem: Problem) -> TrioResponse:
        return refusal(problem, content_type=PLAIN_JSON)

    def write(self, item: CreateStatus) -> bytes:
        return dumps(_step(item)) + b"\n"

    def end(self) -> bytes:
        return b""

    def failed(self, problem: Problem) -> bytes:
        return dumps({"error": problem.text}) + b"\n"


def _step(item: CreateStatus) -> JsonObject:
    facts = {"digest": item.digest, "total": item.total, "completed": item.completed}
    return {"status": item.status} | {key: value for key, value in facts.items() if value}


_FRAMES = _StepFrames()


async def answer(
    edge: Edge,
    source: Callable[[], AbstractAsyncContextManager[Items[CreateStatus]]],
    *,
    stream: bool,
) -> Response:
    """Answer with all steps as they come, or with the last one alone.

    Args:
        edge: For the log.
        source: Opens the stream of steps; leaving it cancels the job.
        stream: Whether the client wants all steps.
    """
    if stream:
        return Streamed(source, _FRAMES, edge.log)
    last: CreateStatus | None = None
    try:
        async with source() as items:
            async for item in items:
                last = item
    except Refused as e:
        return _FRAMES.refused(e.problem)
    if last is None:
        raise Refused.because(500, "nothing was answered")
    return json_response(_step(last), content_type=PLAIN_JSON)
