"""What every route needs: the actors, the settings, the log and the metrics."""

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

import attrs
from quart import request

from actorllm.http.connection import RequestBody
from actorllm.http.metrics import Metrics
from actorllm.http.wire.binding import bind
from actorllm.protocol.codec import Ask, Stream
from actorllm.protocol.errors import Refused
from actorllm.protocol.gojson import JsonError
from actorllm.protocol.settings import Settings

__all__ = ["ASK_TIMEOUT", "Edge", "Items", "Log", "Node", "Ref", "read_body"]

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

ASK_TIMEOUT = 60.0
"""Seconds to wait for the answer to a question that takes no model."""


class Items(Protocol[R]):
    """The items of a stream."""

    def __aiter__(self) -> "Items[R]": ...

    async def __anext__(self) -> R: ...

    def take_ready(self) -> list[R]: ...


class Ref(Protocol):
    """An actor, as far as the edge speaks to one."""

    async def ask(self, m: Ask[R], *, timeout: float, again: bool = False) -> R: ...  # noqa: ASYNC109

    def stream(
        self, m: Stream[R], *, window: int = 32, open_timeout: float = 30.0
    ) -> AbstractAsyncContextManager[Any]: ...


class Node(Protocol):
    """The actors."""

    def ref(self, path: str) -> Any: ...

    def snapshot(self) -> Any: ...


class Log(Protocol):
    """A structlog logger."""

    def info(self, event: str, **facts: Any) -> Any: ...

    def warning(self, event: str, **facts: Any) -> Any: ...

    def error(self, event: str, **facts: Any) -> Any: ...


@attrs.frozen
class Edge:
    """The inside, as routes see it."""

    node: Node
    settings: Settings
    log: Log
    metrics: Metrics

    async def ask(self, path: str, m: Ask[R]) -> R:
        """Ask an actor a question that may be asked again while it is being restarted."""
        answer: R = await self.node.ref(path).ask(m, timeout=ASK_TIMEOUT, again=True)
        return answer

    async def order(self, path: str, m: Ask[R]) -> R:
        """Ask an actor to do something, once."""
        answer: R = await self.node.ref(path).ask(m, timeout=ASK_TIMEOUT)
        return answer


async def read_body(cls: type[R], limit: int, *, empty: str = "missing request body") -> R:
    """Read the body of the current request.

    Args:
        cls: A class made by `binding.body`.
        limit: Most bytes that are read.
        empty: What to say when there is no body.

    Raises:
        Refused: 400, with the reason in the words of Go's decoder.
        BodyTooLarge: It has more than `limit` bytes.
    """
    body = request.body
    assert isinstance(body, RequestBody)
    data = await body.read(limit)
    try:
        return bind(cls, data)
    except JsonError as e:
        raise Refused.because(400, empty if e.empty else str(e)) from None
    except ValueError as e:
        raise Refused.because(400, str(e)) from None
