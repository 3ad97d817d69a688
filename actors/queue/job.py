"""One request: resolved, leased a runner, streamed, and carried over the death of runners."""

import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import attrs
import trio

from actorllm.actors.kernel import Actor, ActorDied, AskTimeout, BadMessage, KernelError, Ref, Relay
from actorllm.actors.queue.checks import (
    check_capabilities,
    check_format,
    check_grammar,
    check_media,
    check_pooling,
    effective_think,
    is_empty,
)
from actorllm.actors.queue.delivery import Delivery, judge
from actorllm.actors.runner.messages import Embed, Generate, Piece
from actorllm.protocol.codec import evolve
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import (
    Chunk,
    Done,
    Embeddings,
    EmbedRequest,
    Follow,
    FollowEmbed,
    GenerateRequest,
)
from actorllm.protocol.messages.models import Purpose, ResolvedModel, ResolveModel
from actorllm.protocol.messages.scheduling import Acquire, Lease, Proven, Unload
from actorllm.protocol.options import Options, merge

__all__ = ["UNANSWERED", "Job"]

UNANSWERED = "a part of the server did not answer, please try again"
"""What clients read, with a 503, when the daemon itself is in trouble."""

_FOLLOW_WITHIN = 1.0
"""Seconds within which somebody must follow a job; a client that left before it was told of its
job never will."""
_ASK_TIMEOUT = 30.0
_REPORT_TIMEOUT = 1.0
"""Short: the first token waits for it, so that a short stream does not end before it is sent."""
_RETRY_PAUSE = 0.05
_MAX_LOST = 2
"""Times that a request is said again to a scheduler or a runner that did not take it up."""
_WAIT_WINDOW = 4
_NS = 1_000_000_000


class Job(Actor):
    """A request that was admitted.

    Args:
        request: What the client wants.
        client: Who it is, for fairness.
    """

    def __init__(self, request: GenerateRequest | EmbedRequest, client: str) -> None:
        self._request = request
        self._client = client
        self._state = "admitted"
        self._followed = False
        self._began = 0.0
        self._failovers = 0
        self._lost = 0

    async def started(self) -> None:
        self._began = trio.current_time()
        self.ctx.run(self._end_if_forgotten)

    async def _end_if_forgotten(self) -> None:
        for _ in range(2):  # two naps: a stall of the whole process is not taken for forgetting
            await trio.sleep(_FOLLOW_WITHIN / 2)
        if not self._followed:
            self.ctx.log.info("nobody followed the job")
            self.ctx.end()

    def info(self) -> Mapping[str, Any]:
        return {"model": self._request.model, "state": self._state, "client": self._client,
                "failovers": self._failovers}  # fmt: skip

    # The two conversations

    async def follow(self, m: Follow) -> AsyncIterator[Chunk | Relay[Piece]]:
        """Stream a generation; the last chunk has `done`."""
        request = self._request
        if self._followed or not isinstance(request, GenerateRequest):
            raise Refused.because(409, "this job is followed already")
        self._followed = True
        try:
            async with aclosing(self._generate(request)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except KernelError as e:
            raise self._unanswered(e) from e
        finally:
            self.ctx.end()

    async def follow_embed(self, m: FollowEmbed) -> AsyncIterator[Embeddings]:
        """Stream the vectors: one item."""
        request = self._request
        if self._followed or not isinstance(request, EmbedRequest):
            raise Refused.because(409, "this job is followed already")
        self._followed = True
        try:
            yield await self._embed(request)
        except KernelError as e:
            raise self._unanswered(e) from e
        finally:
            self.ctx.end()

    def _unanswered(self, error: KernelError) -> Refused:
        """Another actor is dead or silent for too long: the client may try again."""
        self.ctx.log.warning("gave a request up", state=self._state, error=str(error))
        return Refused.because(503, UNANSWERED, retry_after=1)

    # Generation

    async def _generate(
        self, request: GenerateRequest
    ) -> AsyncGenerator[Chunk | Relay[Piece], None]:
        model = await self._resolve(request.model, request.kind)
        if is_empty(request) and request.keep_alive == 0:
            await self._scheduler.ask(Unload(model.weights.digest), timeout=_ASK_TIMEOUT)
            yield Chunk(done=Done("unload"))
            return
        check_capabilities(request, model)
        check_media(request)
        options, notices = _options(model, request.default_options, request.options)
        if is_empty(request):
            async with self._scheduler.stream(self._acquire(model, options)) as leases:
                await self._lease(leases)
            yield Chunk(done=Done("load"))
            return
        check_format(request.format)
        check_grammar(request)
        work = Generate(
            request=evolve(
                request, think=effective_think(request, model), options={}, default_options={}
            ),
            model=model,
            options=options,
            now=time.time(),
        )
        first = True
        async with aclosing(self._attempts(work)) as chunks:
            async for chunk in chunks:
                if first and isinstance(chunk, Chunk):
                    first = False
                    told = (*request.notices, *notices, *self._lease_notices, *chunk.notices)
                    yield evolve(chunk, notices=told) if told else chunk
                else:
                    yield chunk

    async def _attempts(self, work: Generate) -> AsyncGenerator[Chunk | Relay[Piece], None]:
        """Stream from one runner after the other, until one has brought it to an end."""
        delivery = Delivery()
        suspect = False
        while True:
            self._state = "queued"
            attempt = _Attempt(self._client, suspect=suspect)
            try:
                stream = self._attempt(work, attempt, delivery)
                async with aclosing(stream) as chunks:
                    async for chunk in chunks:
                        yield chunk
            except ActorDied as e:
                self._failovers += 1
                verdict = judge(
                    work.request.model,
                    e.exit,
                    self._failovers,
                    observed=suspect and e.path == attempt.runner,
                    advanced=attempt.advanced,
                )
                self.ctx.log.warning(
                    "runner died under a request",
                    runner=e.path,
                    exit=str(e.exit),
                    failovers=self._failovers,
                    quarantined=verdict.problem is not None,
                )
                if verdict.problem is not None:
                    raise Refused(verdict.problem) from None
                suspect = verdict.suspect and bool(attempt.runner)
            except (AskTimeout, BadMessage) as e:  # what was said got lost before it was taken up
                self._note_lost(e)
            else:
                return
            await trio.sleep(_RETRY_PAUSE)
            work = evolve(work, resume=delivery.resume())

    def _note_lost(self, error: KernelError) -> None:
        """Count a request that was not taken up.

        Raises:
            KernelError: The error, once there were too many.
        """
        self._lost += 1
        if self._lost > _MAX_LOST:
            raise error
        self.ctx.log.warning("asking again", error=str(error))

    async def _attempt(
        self, work: Generate, attempt: "_Attempt", delivery: Delivery
    ) -> AsyncGenerator[Chunk | Relay[Piece], None]:
        """Stream from one runner: until its first token by hand, then by a relay."""

        def hand_on(piece: Piece) -> Chunk:
            delivery.note(piece)
            return piece.chunk if piece.chunk.done is None else self._finished(piece.chunk)

        acquire = self._acquire(work.model, work.options, suspect=attempt.suspect)
        async with self._scheduler.stream(acquire, window=_WAIT_WINDOW) as leases:
            lease = attempt.lease = await self._lease(leases)
            self._state = "running"
            async with self._runner(lease).stream(_within(lease, work)) as pieces:
                async for piece in pieces:
                    chunk = hand_on(piece)
                    if piece.tokens:
                        attempt.advanced = True
                        await self._report(lease)
                    yield chunk
                    if delivery.whole:
                        return
                    if attempt.advanced:
                        break
                relay = Relay(pieces, hand_on)
                yield relay
                try:
                    relay.check()
                except KernelError:
                    if not delivery.whole:  # else the runner was no longer needed
                        raise
        if not delivery.whole:
            text = f"the runner of {work.request.model!r} ended without a word"
            raise Refused.because(500, text)

    async def _report(self, lease: Lease) -> None:
        """Tell the scheduler that the runner works, if it wants to hear."""
        if not lease.unproven:
            return
        try:
            await self._scheduler.ask(Proven(lease.id), timeout=_REPORT_TIMEOUT)
        except KernelError as e:  # the stream matters more than the report
            self.ctx.log.warning("could not report progress", error=str(e))

    def _finished(self, chunk: Chunk) -> Chunk:
        """Add to the last chunk what the job alone knows."""
        assert chunk.done is not None
        notices = chunk.done.notices
        if self._failovers:
            notices += (f"runners that died under the stream, which went on: {self._failovers}",)
        done = evolve(
            chunk.done,
            total_duration=self._elapsed(),
            load_duration=self._load_duration,
            failovers=self._failovers,
            notices=notices,
        )
        return evolve(chunk, done=done)

    # Embeddings

    async def _embed(self, request: EmbedRequest) -> Embeddings:
        model = await self._resolve(request.model, "embed" if request.normalize else "embeddings")
        check_pooling(request, model)
        options, _ = _options(model, {}, request.options)
        work = Embed(
            inputs=request.inputs,
            truncate=request.truncate,
            normalize=request.normalize,
            dimensions=request.dimensions,
            num_ctx=options.num_ctx,
            query=request.query,
            tokens=request.tokens,
        )
        while True:
            self._state = "queued"
            runner = ""
            try:
                acquire = self._acquire(model, options)
                async with self._scheduler.stream(acquire) as leases:
                    lease = await self._lease(leases)
                    if not (request.inputs or request.tokens):
                        return Embeddings((), self._elapsed(), self._load_duration)
                    runner = lease.runner
                    async with self._runner(lease).stream(work) as items:
                        embedded = await anext(items)
                    await self._report(lease)
                return Embeddings(
                    embedded.vectors,
                    self._elapsed(),
                    self._load_duration,
                    embedded.prompt_tokens,
                    embedded.truncated,
                )
            except ActorDied as e:
                self._failovers += 1
                observed = self._failovers > 1 and e.path == runner
                verdict = judge(
                    request.model, e.exit, self._failovers, observed=observed, advanced=False
                )
                if verdict.problem is not None:
                    raise Refused(verdict.problem) from None
            except (AskTimeout, BadMessage) as e:
                self._note_lost(e)
            await trio.sleep(_RETRY_PAUSE)

    # What both need

    _load_duration = 0
    _lease_notices: tuple[str, ...] = ()

    @property
    def _scheduler(self) -> Ref:
        return self.ctx.ref("/scheduler")

    def _runner(self, lease: Lease) -> Ref:
        return Ref(self.ctx.node, lease.runner, lease.incarnation)

    def _elapsed(self) -> int:
        return int((trio.current_time() - self._began) * _NS)

    async def _resolve(self, name: str, purpose: Purpose) -> ResolvedModel:
        self._state = "resolving"
        library = self.ctx.ref("/library")
        question = ResolveModel(name, purpose)
        while True:
            try:
                return await library.ask(question, timeout=_ASK_TIMEOUT, again=True)
            except (AskTimeout, BadMessage) as e:
                self._note_lost(e)

    def _acquire(self, model: ResolvedModel, options: Options, *, suspect: bool = False) -> Acquire:
        return Acquire(
            model=model,
            options=options,
            client=self._client,
            keep_alive=self._request.keep_alive,
            suspect=suspect,
        )

    async def _lease(self, leases: AsyncIterator[Lease]) -> Lease:
        try:
            lease = await anext(leases)
        except StopAsyncIteration:
            raise Refused.because(500, "the scheduler gave no runner; try again") from None
        if not self._load_duration:
            self._load_duration = lease.load_duration
        self._lease_notices = lease.notices
        return lease


@attrs.define
class _Attempt:
    """One runner's part of a generation."""

    client: str
    suspect: bool
    lease: Lease | None = None
    advanced: bool = False

    @property
    def runner(self) -> str:
        return self.lease.runner if self.lease is not None else ""


def _within(lease: Lease, work: Generate) -> Generate:
    """Hold a work to the window that it was given."""
    if not lease.window:
        return work
    return evolve(work, options=evolve(work.options, num_ctx=lease.window))


def _options(
    model: ResolvedModel, defaults: Mapping[str, Any], asked: Mapping[str, Any]
) -> tuple[Options, tuple[str, ...]]:
    """Merge the layers of options; choose a seed, so that a resumed stream has the same.

    Returns:
        The options, and a notice for each key that was ignored.
    """
    options, ignored = merge(Options(), model.params, defaults, asked)
    if options.seed < 0:
        options = evolve(options, seed=random.SystemRandom().getrandbits(31))
    return options, tuple(f"option {key!r} is unknown and was ignored" for key in ignored)
