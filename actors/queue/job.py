"""The job actor: one request, followed by whoever made it, and gone when it is over."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

import trio

from actorllm.actors.kernel import Actor, KernelError, Relay
from actorllm.actors.queue.attempts import Attempts
from actorllm.actors.queue.embedding import embed
from actorllm.actors.queue.generation import generate
from actorllm.actors.queue.progress import Progress
from actorllm.actors.queue.refusals import unanswered
from actorllm.actors.runner.messages import Piece
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import (
    Chunk,
    Embeddings,
    EmbedRequest,
    Follow,
    FollowEmbed,
    GenerateRequest,
)

__all__ = ["Job"]

R = TypeVar("R", GenerateRequest, EmbedRequest)

_FOLLOW_WITHIN = 1.0
"""Seconds within which somebody must follow a job; a client that left before it was told of its
job never will."""


class Job(Actor):
    """A request that was admitted.

    Args:
        request: What the client wants.
        client: Who it is, for fairness.
    """

    def __init__(self, request: GenerateRequest | EmbedRequest, client: str) -> None:
        self._request = request
        self._client = client
        self._progress = Progress()
        self._followed = False

    async def started(self) -> None:
        self.ctx.run(self._end_if_forgotten)

    async def _end_if_forgotten(self) -> None:
        for _ in range(2):  # two naps: a stall of the whole process is not taken for forgetting
            await trio.sleep(_FOLLOW_WITHIN / 2)
        if not self._followed:
            self.ctx.log.info("nobody followed the job")
            self.ctx.end()

    async def follow(self, m: Follow) -> AsyncIterator[Chunk | Relay[Piece]]:
        """Stream a generation; the last chunk has `done`."""
        request = self._take(GenerateRequest)
        try:
            async with aclosing(generate(request, self._attempts())) as chunks:
                async for chunk in chunks:
                    yield chunk
        except KernelError as e:
            raise self._given_up(e) from e
        finally:
            self.ctx.end()

    async def follow_embed(self, m: FollowEmbed) -> AsyncIterator[Embeddings]:
        """Stream the vectors: one item."""
        request = self._take(EmbedRequest)
        try:
            yield await embed(request, self._attempts())
        except KernelError as e:
            raise self._given_up(e) from e
        finally:
            self.ctx.end()

    def _take(self, kind: type[R]) -> R:
        """Give the request to its follower: the first, who asks for what it is."""
        if self._followed or not isinstance(self._request, kind):
            raise Refused.because(409, "this job is followed already")
        self._followed = True
        return self._request

    def _attempts(self) -> Attempts:
        return Attempts(self.ctx, self._request, self._client, self._progress)

    def _given_up(self, error: KernelError) -> Refused:
        self.ctx.log.warning("gave a request up", state=self._progress.state, error=str(error))
        return unanswered()

    def info(self) -> Mapping[str, Any]:
        return {
            "model": self._request.model,
            "state": self._progress.state,
            "client": self._client,
            "failovers": self._progress.failovers,
        }
