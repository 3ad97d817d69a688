"""Several generations in one answer: `n` choices of a chat, or of each prompt of a list.

Each is a job of its own; they share what the engine shares between requests. In a stream their
chunks come as they are made, told apart by the index of their choice.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, ClassVar

import attrs
import trio
from quart.wrappers import Response
from quart_trio.wrappers import TrioResponse

from actorllm.actors.kernel import Items, Outlet
from actorllm.http.edge import Edge
from actorllm.http.errors import json_response
from actorllm.http.frames import GenerationFrames
from actorllm.http.generation import WINDOW, check_request, client_of_request, generate, join
from actorllm.http.openai.parts import DONE, event, total_usage
from actorllm.http.openai.refusals import body_of, refusal
from actorllm.http.stream import SSE, Streamed
from actorllm.http.v1 import PLAIN_JSON
from actorllm.protocol.codec import evolve
from actorllm.protocol.errors import Problem, Refused
from actorllm.protocol.messages.generation import Chunk, Done, GenerateRequest

__all__ = ["MOST_CHOICES", "ChoiceFrames", "repeated", "respond_with_choices"]

Json = dict[str, Any]

MOST_CHOICES = 64
"""Generations that one request may ask for."""


def repeated(requests: Sequence[GenerateRequest], n: int) -> tuple[GenerateRequest, ...]:
    """Repeat each request; a seed that was given counts on, so that the choices differ.

    Raises:
        Refused: 400, they are none or too many.
    """
    if n < 1 or n * len(requests) > MOST_CHOICES:
        raise Refused.because(
            400, f"n times the number of prompts must be between 1 and {MOST_CHOICES}"
        )
    return tuple(_choice(request, i) for request in requests for i in range(n))


def _choice(request: GenerateRequest, index: int) -> GenerateRequest:
    seed = request.options.get("seed")
    if not index or not isinstance(seed, int) or seed < 0:
        return request
    return evolve(request, options=request.options | {"seed": seed + index})


class ChoiceFrames(GenerationFrames):
    """Frames of one choice among several."""

    def refused(self, problem: Problem) -> TrioResponse:
        return refusal(problem)

    def end(self) -> bytes:
        return super().end() or DONE

    def failed(self, problem: Problem) -> bytes:
        return event(body_of(problem)) + DONE

    def choice(self, chunk: Chunk) -> Json:
        """Return the choice of a whole generation."""
        raise NotImplementedError

    def envelope(self, choices: Sequence[Json], counted: Json) -> Json:
        """Return the document around choices."""
        raise NotImplementedError

    def usage_event(self, counted: Json) -> bytes:
        """Write the last chunk of a stream: what was counted, if the client wants to know."""
        raise NotImplementedError


@attrs.frozen
class _Numbered:
    """What came of one of the generations."""

    index: int
    chunk: Chunk


class _Merged(Items[_Numbered]):
    """Several streams as one; the first error of any of them is raised."""

    __slots__ = ("_receive",)

    def __init__(self, receive: "trio.MemoryReceiveChannel[_Numbered | Exception]") -> None:
        self._receive = receive

    async def __anext__(self) -> _Numbered:
        return _checked(await anext(self._receive))

    async def pour(self, outlet: Outlet, turn: Callable[[_Numbered], bytes]) -> None:
        await outlet.wait_credit()
        async for item in self:
            outlet.push(turn(item))
            await outlet.wait_credit()


def _checked(item: _Numbered | Exception) -> _Numbered:
    if isinstance(item, Exception):
        raise item
    return item


@asynccontextmanager
async def _generate_all(
    edge: Edge, wanted: Sequence[GenerateRequest], client: str
) -> AsyncIterator[Items[_Numbered]]:
    """Open the streams of all; leaving them cancels all."""
    send, receive = trio.open_memory_channel[_Numbered | Exception](WINDOW)

    async def follow(index: int, request: GenerateRequest, to: Any) -> None:
        with to:
            try:
                async with generate(edge, request, client) as items:
                    async for chunk in items:
                        await to.send(_Numbered(index, chunk))
            except Exception as e:  # noqa: BLE001 -- raised again where the chunks are read
                await to.send(e)

    async with trio.open_nursery() as nursery:
        with send:
            for index, request in enumerate(wanted):
                nursery.start_soon(follow, index, request, send.clone())
        yield _Merged(receive)
        nursery.cancel_scope.cancel()


class _Frames:
    """Writes the chunks of all choices.

    Args:
        parts: The frames of each choice.
        per_prompt: Choices of each prompt, which is counted once.
    """

    content_type: ClassVar[str] = SSE

    def __init__(self, parts: Sequence[ChoiceFrames], per_prompt: int) -> None:
        self._parts = parts
        self._per_prompt = per_prompt
        self._ends: dict[int, Done] = {}
        self._first = 0
        self._late: dict[int, tuple[str, ...]] = {}
        """Notices that came too late for the header."""

    def headers(self, first: _Numbered) -> dict[str, str]:
        self._first = first.index
        return self._parts[first.index].headers(first.chunk)

    def whole(self, first: _Numbered) -> TrioResponse | None:
        return self._parts[first.index].whole(first.chunk)

    def refused(self, problem: Problem) -> TrioResponse:
        return self._parts[0].refused(problem)

    def write(self, item: _Numbered) -> bytes:
        index, chunk = item.index, item.chunk
        if chunk.notices and index != self._first:
            self._late[index] = chunk.notices
        if chunk.done is not None:
            self._ends[index] = chunk.done
            notices = (*self._late.get(index, ()), *chunk.done.notices)
            chunk = evolve(chunk, done=evolve(chunk.done, notices=notices))
        return self._parts[index].write(chunk)

    def end(self) -> bytes:
        if len(self._ends) < len(self._parts):
            return self.failed(Problem(500, "a generation ended early"))
        ends = [self._ends[index] for index in range(len(self._parts))]
        return self._parts[0].usage_event(self._counted(ends)) + DONE

    def failed(self, problem: Problem) -> bytes:
        return self._parts[0].failed(problem)

    def document(self, chunks: Sequence[Chunk]) -> TrioResponse:
        """Answer with whole generations, one for each choice."""
        first = self._parts[0]
        choices = []
        for part, chunk in zip(self._parts, chunks, strict=True):
            assert chunk.done is not None
            choices.append(part.choice(chunk) | part.finish(chunk.done))
        counted = self._counted([chunk.done for chunk in chunks if chunk.done is not None])
        response = json_response(first.envelope(choices, counted), content_type=PLAIN_JSON)
        notices = dict.fromkeys(notice for chunk in chunks for notice in chunk.notices)
        response.headers.update(first.headers(Chunk(notices=tuple(notices))))
        return response

    def _counted(self, ends: Sequence[Done]) -> Json:
        return total_usage(ends[:: self._per_prompt], ends)


async def respond_with_choices(
    edge: Edge,
    wanted: Sequence[GenerateRequest],
    parts: Sequence[ChoiceFrames],
    *,
    per_prompt: int,
    stream: bool,
) -> Response:
    """Answer the current request with several generations.

    Raises:
        Refused: Nothing is streamed, and a generation was refused.
    """
    check_request(wanted[0])
    client = client_of_request()
    frames = _Frames(parts, per_prompt)
    if stream:
        return Streamed(partial(_generate_all, edge, wanted, client), frames, edge.log)
    gathered: list[list[Chunk]] = [[] for _ in wanted]
    async with _generate_all(edge, wanted, client) as items:
        async for item in items:
            gathered[item.index].append(item.chunk)
    return frames.document([join(chunks) for chunks in gathered])
