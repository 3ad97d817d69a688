"""What every route needs: the actors, the settings, the log and the metrics."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import attrs
from quart import request

from actorllm.actors.kernel import Node
from actorllm.http.connection import RequestBody
from actorllm.http.encoding import decoded
from actorllm.http.metrics import Metrics
from actorllm.http.wire.binding import bind
from actorllm.protocol.codec import Ask, Stream
from actorllm.protocol.errors import Refused
from actorllm.protocol.gojson import JsonError
from actorllm.protocol.settings import Settings

__all__ = ["ASK_TIMEOUT", "Edge", "Log", "read_body"]

R = TypeVar("R")

ASK_TIMEOUT = 60.0
"""Seconds to wait for the answer to a question that takes no model."""


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
        return await self.node.ref(path).ask(m, timeout=ASK_TIMEOUT, again=True)

    async def only(self, path: str, m: Stream[R]) -> R:
        """Wait for the one item of a stream; leaving gives the question up.

        Raises:
            Refused: The actor refused, or said nothing.
        """
        async with self.node.ref(path).stream(m) as items:
            async for item in items:
                return item
        raise Refused.because(500, "nothing was answered")

    async def order(self, path: str, m: Ask[R]) -> R:
        """Ask an actor to do something, once."""
        return await self.node.ref(path).ask(m, timeout=ASK_TIMEOUT)


async def read_body(
    cls: type[R],
    limit: int,
    *,
    empty: str = "missing request body",
    compressed: bool = False,
    check: Callable[[bytes], None] | None = None,
) -> R:
    """Read the body of the current request.

    Args:
        cls: A class made by `binding.body`.
        limit: Most bytes that are read.
        empty: What to say when there is no body.
        compressed: Heed its `Content-Encoding`; where not, it is taken as it is.
        check: Is shown the bytes before they are read, and may refuse them.

    Raises:
        Refused: 400, with the reason in the words of Go's decoder; 415, see `decoded`.
        BodyTooLarge: It has more than `limit` bytes.
    """
    body = request.body
    assert isinstance(body, RequestBody)
    data = await body.read(limit)
    if compressed:
        data = decoded(data, request.headers.get("Content-Encoding", ""), limit)
    if check is not None:
        check(data)
    try:
        return bind(cls, data)
    except JsonError as e:
        raise Refused.because(400, empty if e.empty else str(e)) from None
    except ValueError as e:
        raise Refused.because(400, str(e)) from None
