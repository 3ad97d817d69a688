"""A generation from its model to its last chunk, carried over the death of runners."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import attrs

from actorllm.actors.kernel import ActorDied, AskTimeout, BadMessage, KernelError, Relay
from actorllm.actors.queue.attempts import Attempts
from actorllm.actors.queue.checks import (
    check_capabilities,
    check_format,
    check_grammar,
    check_media,
    is_empty,
)
from actorllm.actors.queue.delivery import Delivery
from actorllm.actors.queue.work import definite, generation_work, within
from actorllm.actors.runner.messages import Generate, Piece
from actorllm.protocol.codec import evolve
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import Chunk, Done, GenerateRequest

__all__ = ["generate"]

_Chunks = AsyncGenerator[Chunk | Relay[Piece], None]


async def generate(request: GenerateRequest, attempts: Attempts) -> _Chunks:
    """Stream a generation; the last chunk has `done`.

    Raises:
        Refused: It cannot be.
        KernelError: Another actor is dead or silent for too long.
    """
    model = await attempts.resolve(request.kind)
    if is_empty(request) and request.keep_alive == 0:
        await attempts.unload(model)
        yield Chunk(done=Done("unload"))
        return
    check_capabilities(request, model)
    check_media(request)
    options, notices = definite(model, request.default_options, request.options)
    if is_empty(request):
        async with attempts.lease(model, options):
            pass
        yield Chunk(done=Done("load"))
        return
    check_format(request.format)
    check_grammar(request)
    work = generation_work(request, model, options, time.time())
    first = True
    async with aclosing(_by_runners(work, attempts)) as chunks:
        async for chunk in chunks:
            if first and isinstance(chunk, Chunk):
                first = False
                told = (*request.notices, *notices, *attempts.progress.notices, *chunk.notices)
                yield evolve(chunk, notices=told) if told else chunk
            else:
                yield chunk


@attrs.define
class _Turn:
    """One runner's part of a generation."""

    suspect: bool
    runner: str = ""
    """Its path, once there is a lease."""
    advanced: bool = False
    """Whether a token has come of it."""


async def _by_runners(work: Generate, attempts: Attempts) -> _Chunks:
    """Stream from one runner after the other, until one has brought it to an end."""
    delivery = Delivery()
    suspect = False
    while True:
        turn = _Turn(suspect)
        try:
            async with aclosing(_by_runner(work, turn, delivery, attempts)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except ActorDied as e:
            observed = suspect and e.path == turn.runner
            suspect = attempts.note_death(e, observed=observed, advanced=turn.advanced)
            suspect = suspect and bool(turn.runner)
        except (AskTimeout, BadMessage) as e:  # what was said got lost before it was taken up
            attempts.note_lost(e)
        else:
            return
        await attempts.pause()
        work = evolve(work, resume=delivery.resume())


async def _by_runner(
    work: Generate, turn: _Turn, delivery: Delivery, attempts: Attempts
) -> _Chunks:
    """Stream from one runner: until its first token by hand, then by a relay."""
    finished = attempts.progress.finished

    def hand_on(piece: Piece) -> Chunk:
        delivery.note(piece)
        return piece.chunk if piece.chunk.done is None else finished(piece.chunk)

    async with attempts.lease(work.model, work.options, suspect=turn.suspect) as lease:
        turn.runner = lease.runner
        async with attempts.runner(lease).stream(within(lease, work)) as pieces:
            async for piece in pieces:
                chunk = hand_on(piece)
                if piece.tokens:
                    turn.advanced = True
                    await attempts.report(lease)
                yield chunk
                if delivery.whole:
                    return
                if turn.advanced:
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
