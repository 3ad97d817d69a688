"""What the frames of generations share in all dialects."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from quart.wrappers import Response
from quart_trio.wrappers import TrioResponse

from actorllm.http.edge import Edge
from actorllm.http.errors import NOTICE, json_response
from actorllm.http.facts import notices
from actorllm.http.generation import apart, check_request, client_of_request, collect, generate
from actorllm.http.metrics import Metrics
from actorllm.http.stream import SSE, Streamed
from actorllm.protocol.errors import Problem
from actorllm.protocol.messages.generation import Chunk, Done, GenerateRequest

__all__ = ["GenerationFrames", "notice_header", "respond"]

_MAX_HEADER = 1000


def notice_header(notices: Sequence[str], metrics: Metrics) -> dict[str, str]:
    """Say in a header, and count, what was degraded; nothing if nothing was."""
    if not notices:
        return {}
    metrics.noticed(len(notices))
    said = "; ".join(notices)[:_MAX_HEADER]
    return {NOTICE: "".join(c if " " <= c <= "~" else "?" for c in said)}


class GenerationFrames:
    """Writes the chunks of one generation; a dialect says how.

    Args:
        metrics: Told when the generation has ended.
    """

    content_type: ClassVar[str] = SSE

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._ended = False

    def headers(self, first: Chunk) -> dict[str, str]:
        """Say in a header what the first chunk knows of degradations."""
        return notice_header(first.notices, self._metrics)

    def whole(self, first: Chunk) -> TrioResponse | None:
        """Answer with one document, where the first chunk says that nothing will be streamed."""
        return None

    def write(self, item: Chunk) -> bytes:
        """Write a chunk."""
        return b"".join([self.write_chunk(chunk) for chunk in apart(item)])

    def document(self, chunk: Chunk) -> TrioResponse:
        """Answer with a whole generation."""
        raise NotImplementedError

    def refused(self, problem: Problem) -> TrioResponse:
        """Answer in place of a generation."""
        raise NotImplementedError

    def write_chunk(self, chunk: Chunk) -> bytes:
        """Write one chunk that `apart` gave."""
        raise NotImplementedError

    def failed(self, problem: Problem) -> bytes:
        """Write that the generation failed."""
        raise NotImplementedError

    def end(self) -> bytes:
        """Write what comes after the last chunk."""
        return b"" if self._ended else self.failed(Problem(500, "the generation ended early"))

    def finish(self, done: Done) -> dict[str, Any]:
        """Count the end of the generation; return what the last object says of degradations."""
        self._ended = True
        self._metrics.finished(done)
        return notices(done)

    def answer(self, value: dict[str, Any], chunk: Chunk, content_type: str) -> TrioResponse:
        """Answer with the document of a whole generation."""
        response = json_response(value, content_type=content_type)
        response.headers.update(self.headers(chunk))
        return response


async def respond(
    edge: Edge, wanted: GenerateRequest, frames: GenerationFrames, *, stream: bool
) -> Response:
    """Answer the current request with a generation, as a stream or as one document.

    Raises:
        Refused: Nothing is streamed, and the generation was refused.
    """
    check_request(wanted)
    client = client_of_request()
    if stream:
        return Streamed(partial(generate, edge, wanted, client), frames, edge.log)
    return frames.document(await collect(edge, wanted, client))
