"""Responses that can be gone on from: what `/responses` keeps of them."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import attrs

from actorllm.actors.kernel import Items, KernelError, Outlet
from actorllm.http.edge import Edge
from actorllm.http.openai.responses_body import ResponsesBody
from actorllm.http.openai.responses_items import items_of
from actorllm.protocol.errors import Problem, Refused
from actorllm.protocol.gojson import dumps, loads
from actorllm.protocol.messages.generation import Chunk
from actorllm.protocol.messages.responses import FindResponse, KeepResponse, KeptResponse

__all__ = ["Keeper", "is_id", "keeping"]

Json = dict[str, Any]

_ID = re.compile(r"resp_[0-9a-f]{32}")


def is_id(name: str) -> bool:
    """Whether an id can be one of ours."""
    return _ID.fullmatch(name) is not None


@attrs.frozen
class Keeper:
    """Keeps the answer to one request, unless the request does not want it."""

    edge: Edge
    wanted: bool
    earlier: list[Any]
    """The items of the conversation that the request goes on from, and"""
    given: list[Any]
    """those that it brings."""

    @classmethod
    async def of(cls, edge: Edge, body: ResponsesBody) -> "Keeper":
        """Find what a request goes on from.

        Raises:
            Refused: 400, it is not kept.
        """
        earlier: list[Any] = []
        if body.previous_response_id:
            earlier = await _earlier(edge, body.previous_response_id)
        return cls(edge, body.store is not False, earlier, items_of(body.input))

    async def keep(self, response: Json) -> str:
        """Keep an answer; return why that could not be, if so."""
        if not self.wanted:
            return ""
        items = dumps([*self.earlier, *self.given, *response["output"]])
        kept = KeptResponse(dumps(response), items)
        try:
            await self.edge.order("/responses", KeepResponse(response["id"], kept))
        except Refused as e:
            return f"the response is not stored: {e.problem.text}"
        except KernelError as e:
            self.edge.log.warning("response not kept", error=str(e))
            return "the response is not stored: the server was busy"
        return ""


async def _earlier(edge: Edge, id_: str) -> list[Any]:
    try:
        kept = await edge.ask("/responses", FindResponse(id_))
    except Refused as e:
        problem = Problem(400, f"previous_response_id: {e.problem.text}")
        raise Refused(problem) from None
    items: list[Any] = loads(kept.items)
    return items


class _Keeping(Items[Chunk]):
    """A stream that keeps its answer behind the last chunk, before it ends."""

    __slots__ = ("_end", "_items")

    def __init__(self, items: Items[Chunk], end: Callable[[], Any]) -> None:
        self._items = items
        self._end = end

    async def __anext__(self) -> Chunk:
        try:
            return await anext(self._items)
        except StopAsyncIteration:
            await self._end()
            raise

    async def pour(self, outlet: Outlet, turn: Callable[[Chunk], bytes]) -> None:
        await self._items.pour(outlet, turn)
        await self._end()


@asynccontextmanager
async def keeping(
    source: AbstractAsyncContextManager[Items[Chunk]], end: Callable[[], Any]
) -> AsyncIterator[Items[Chunk]]:
    """Open a stream; await `end` when all of its chunks were taken."""
    async with source as items:
        yield _Keeping(items, end)
