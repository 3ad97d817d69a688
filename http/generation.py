"""Generations and embeddings, whatever the dialect: submit, follow, put together."""

import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import accumulate

from quart import request

from actorllm.actors.kernel import Items
from actorllm.http.edge import ASK_TIMEOUT, Edge
from actorllm.http.errors import problem_of
from actorllm.http.metrics import Metrics
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import (
    Chunk,
    Embeddings,
    EmbedRequest,
    Follow,
    FollowEmbed,
    GenerateRequest,
    Logprob,
    Submit,
    SubmitEmbed,
)

__all__ = [
    "WINDOW",
    "apart",
    "check_request",
    "client_of_request",
    "collect",
    "embed",
    "generate",
    "join",
]

MOST_TOP_LOGPROBS = 20

_REFUSALS = frozenset({*range(400, 500), 503})
"""Statuses of what did not begin."""

WINDOW = 64
"""Chunks that a runner may be ahead of a client who reads slowly."""


def check_request(wanted: GenerateRequest) -> None:
    """Check what needs no model.

    Raises:
        Refused: 400.
    """
    if not 0 <= wanted.top_logprobs <= MOST_TOP_LOGPROBS:
        raise Refused.because(400, f"top_logprobs must be between 0 and {MOST_TOP_LOGPROBS}")
    if wanted.kind == "chat" and not wanted.model:
        raise Refused.because(400, "model is required")


def client_of_request() -> str:
    """Name who asks: the address, with a hash of the key where one is given."""
    client = request.remote_addr or "local"
    key = request.headers.get("Authorization") or request.headers.get("X-Api-Key")
    if key:
        client += "#" + hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:12]
    return client


@asynccontextmanager
async def generate(edge: Edge, wanted: GenerateRequest, client: str) -> AsyncIterator[Items[Chunk]]:
    """Open the stream of a generation; leaving it cancels the generation."""
    ticket = await edge.node.ref("/queue").ask(Submit(wanted, client), timeout=ASK_TIMEOUT)
    with _counted(edge.metrics):
        async with edge.node.ref(ticket.job).stream(Follow(), window=WINDOW) as items:
            yield items


@contextmanager
def _counted(metrics: Metrics) -> Iterator[None]:
    """Count what fails after it was admitted; refusals are no failures, nor is a full queue."""
    try:
        yield
    except Exception as e:
        if problem_of(e).status not in _REFUSALS:
            metrics.failed()
        raise


async def collect(edge: Edge, wanted: GenerateRequest, client: str) -> Chunk:
    """Wait for a whole generation."""
    chunks: list[Chunk] = []
    async with generate(edge, wanted, client) as items:
        async for item in items:
            chunks.append(item)
            chunks += items.take_ready()
    return join(chunks)


def apart(chunk: Chunk) -> Iterator[Chunk]:
    """Give a chunk as streams show it: thoughts, text and the end each in one of their own."""
    if chunk.done is None and not (chunk.thinking or chunk.logprobs):
        if chunk.content or chunk.tool_calls:
            yield chunk
        return
    thought = _tokens_of(chunk.thinking, chunk.logprobs)
    if thought:
        yield from (Chunk(thinking=t.token, logprobs=(t,)) for t in thought)
    elif chunk.thinking:
        yield Chunk(thinking=chunk.thinking)
    if len(chunk.logprobs) > len(thought):
        yield from _token_by_token(Chunk(chunk.content, logprobs=chunk.logprobs[len(thought) :]))
    elif chunk.content:
        yield Chunk(chunk.content)
    if chunk.done is not None or chunk.tool_calls:
        yield Chunk(tool_calls=chunk.tool_calls, done=chunk.done)


def _tokens_of(thinking: str, tokens: Sequence[Logprob]) -> Sequence[Logprob]:
    """Return the first tokens, if their text is the thoughts: then they are shown with them."""
    texts = accumulate(token.token for token in tokens)
    return next((tokens[: i + 1] for i, text in enumerate(texts) if text == thinking), ())


def _token_by_token(chunk: Chunk) -> Iterator[Chunk]:
    """Give each token its own chunk, where the text is that of the tokens."""
    tokens = chunk.logprobs
    if "".join([t.token for t in tokens]) == chunk.content:
        yield from (Chunk(t.token, logprobs=(t,)) for t in tokens)
    else:
        yield Chunk(chunk.content, logprobs=tokens)


def join(chunks: Sequence[Chunk]) -> Chunk:
    """Put the chunks of a generation together.

    Raises:
        Refused: The last one is missing.
    """
    if not chunks or chunks[-1].done is None:
        raise Refused.because(500, "the generation ended early")
    return Chunk(
        content="".join([c.content for c in chunks]),
        thinking="".join([c.thinking for c in chunks]),
        tool_calls=tuple(call for c in chunks for call in c.tool_calls),
        logprobs=tuple(p for c in chunks for p in c.logprobs),
        notices=tuple(n for c in chunks for n in c.notices),
        done=chunks[-1].done,
    )


async def embed(edge: Edge, wanted: EmbedRequest, client: str) -> Embeddings:
    """Wait for vectors."""
    ticket = await edge.node.ref("/queue").ask(SubmitEmbed(wanted, client), timeout=ASK_TIMEOUT)
    with _counted(edge.metrics):
        async with edge.node.ref(ticket.job).stream(FollowEmbed()) as items:
            async for vectors in items:
                edge.metrics.embedded(vectors)
                return vectors
        raise Refused.because(500, "nothing was answered")
