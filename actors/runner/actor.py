"""The runner actor: it lives in the process that has the model, and answers the daemon."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import trio

from actorllm.actors.kernel import Actor, concurrent
from actorllm.actors.runner.embedding import fit_inputs, score, shape_vectors
from actorllm.actors.runner.ending import done_of, lost, rendered
from actorllm.actors.runner.engine.types import EngineError, EngineSettings, Loaded, Work
from actorllm.actors.runner.host import EngineHost, Sink, ThreadHost
from actorllm.actors.runner.inspecting import detokenize, prompt_of, tokenize
from actorllm.actors.runner.messages import (
    Detokenize,
    Embed,
    Embedded,
    Generate,
    Load,
    LoadReport,
    Piece,
    Render,
    RunnerArgs,
    Tokenize,
)
from actorllm.actors.runner.pieces import Pieces, call_id
from actorllm.actors.runner.prompting import Prepared, prepare
from actorllm.actors.runner.sampling import sampling_notices, sampling_of
from actorllm.actors.runner.watch import Fault
from actorllm.protocol.codec import evolve
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import Chunk, Done
from actorllm.protocol.messages.prompts import DetokenizedText, RenderedPrompt, TextTokens

__all__ = ["Runner"]

T = TypeVar("T")

_REPORT_EVERY = 0.25
"""Seconds between two reports of a load."""
_PREPARERS = 4
"""Prompts that are rendered at one time."""
_SHORT = 32 * 1024
"""Characters whose tokens are found in less time than a thread costs others."""


class Runner(Actor):
    """Loads one model and generates with it, for as many streams as there are slots."""

    def __init__(self, args: RunnerArgs) -> None:
        self._settings = args.settings
        self._planned = args.memory
        self._loaded: Loaded | None = None
        self._preparers = trio.CapacityLimiter(_PREPARERS)
        self._born = 0
        self._faults: Counter[str] = Counter()

    async def started(self) -> None:
        self._host = self.make_host(self._settings)
        self.ctx.run(self._host.run)

    def make_host(self, settings: EngineSettings) -> EngineHost:
        """The engine; simulations have another."""
        return ThreadHost(settings, planned=self._planned, report=self._warn)

    def _warn(self, fault: Fault) -> None:
        self._faults[fault.kind] += 1
        self.ctx.log.warning(fault.text, fault=fault.kind)

    async def stopped(self) -> None:
        if self._loaded is not None:
            await self.in_thread(self._host.close, abandon=True)

    async def in_thread(
        self,
        work: Callable[..., T],
        *args: Any,
        limiter: trio.CapacityLimiter | None = None,
        abandon: bool = False,
    ) -> T:
        """Run what blocks; simulations have no threads."""
        return await trio.to_thread.run_sync(
            work, *args, limiter=limiter, abandon_on_cancel=abandon
        )

    # Loading

    async def load(self, m: Load) -> AsyncIterator[LoadReport]:
        """Load the weights, with a sign of life now and then."""
        if self._loaded is None:
            send, receive = trio.open_memory_channel[LoadReport](1)
            self.ctx.run(self._load, send)
            with receive:
                async for report in receive:
                    yield report
            if self._loaded is None:
                await trio.sleep_forever()  # the load broke down, and this actor with it
        else:
            yield self._ready(self._loaded)

    async def _load(self, send: trio.MemorySendChannel[LoadReport]) -> None:
        part = 0.0

        def progress(now: float) -> None:
            nonlocal part
            part = now

        async def report() -> None:
            while True:
                await trio.sleep(_REPORT_EVERY)
                if part > told[0]:
                    told[0] = part
                    with suppress(trio.WouldBlock):  # the last one was not taken yet
                        send.send_nowait(LoadReport(part))

        told = [-1.0]
        with send:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(report)
                try:
                    self._loaded = await self._host.load(progress)
                except EngineError as e:
                    raise RuntimeError(str(e)) from e
                nursery.cancel_scope.cancel()
            await send.send(self._ready(self._loaded))

    def _ready(self, loaded: Loaded) -> LoadReport:
        notices = []
        if self._settings.deterministic and not loaded.deterministic:
            notices.append(f"not deterministic: {loaded.why_not_deterministic}")
        return LoadReport(
            1.0,
            ready=True,
            num_ctx=loaded.n_ctx,
            slots=loaded.settings.slots,
            deterministic=loaded.deterministic,
            can_embed=loaded.can_embed,
            notices=tuple(notices),
        )

    # Generating

    async def generate(self, m: Generate) -> AsyncIterator[Piece]:
        """Continue a prompt, from where another runner has left it."""
        loaded = self._require_loaded()
        prepared = await self._prepare(loaded, m)
        if m.request.render_only:
            yield Piece((), Chunk(notices=prepared.notices, done=rendered(prepared)))
            return
        if prepared.truncated_tokens:
            self.ctx.log.info("cut a prompt", **lost(prepared))
        self._born += 1
        native = prepared.native
        work = _work_of(self._born, m, loaded, prepared)
        pieces = _pieces_of(self._host, m, prepared)
        sink = Sink()
        self._host.submit(work, sink)
        notices = prepared.notices + sampling_notices(
            m.options,
            resumed=bool(m.resume.tokens),
            deterministic=m.options.deterministic or self._settings.deterministic,
        )
        try:
            while True:
                deltas = await sink.take()
                chunk, tokens, finish = pieces.feed(deltas)
                if notices:
                    chunk, notices = evolve(chunk, notices=notices), ()
                if finish is None or _goes_ahead(chunk, native=native):
                    yield Piece(tokens, chunk)
                    self._host.drained(work.id, sum(len(d.text) for d in deltas))
                    chunk, tokens = Chunk(), ()
                if finish is None:
                    continue
                done = done_of(m, loaded, prepared, finish, pieces)
                if done.shifted_tokens:
                    self.ctx.log.info(
                        "shifted a window", tokens=done.shifted_tokens, n_ctx=prepared.window
                    )
                context = await self._context(m, prepared, pieces)
                yield Piece(tokens, _with(chunk, evolve(done, context=context)))
                return
        finally:
            self._host.leave(work.id)

    async def _prepare(self, loaded: Loaded, m: Generate) -> Prepared:
        """Prepare in a thread. A defect met there costs this request, not its batch mates.

        Raises:
            Refused: The request cannot be prepared.
        """
        try:
            return await self.in_thread(prepare, self._host, loaded, m, limiter=self._preparers)
        except Refused:
            raise
        except Exception as e:
            self.ctx.log.exception("cannot prepare a prompt", model=m.request.model)
            raise Refused.because(500, f"cannot prepare the prompt: {type(e).__name__}") from e

    async def _context(self, m: Generate, prepared: Prepared, pieces: Pieces) -> tuple[int, ...]:
        """The tokens of prompt and answer, as a client sends them back to go on from here."""
        if m.request.kind != "generate" or m.request.raw:
            return ()
        text = prepared.text + pieces.raw
        tokens = partial(self._host.tokenize, text, add_special=False, parse_special=True)
        return tuple(tokens() if len(text) <= _SHORT else await self.in_thread(tokens))

    def _require_loaded(self) -> Loaded:
        if self._loaded is None:
            raise Refused.because(503, "the model is still loading; try again", retry_after=1)
        return self._loaded

    # Inspecting

    @concurrent
    async def render(self, m: Render) -> RenderedPrompt:
        """Make a prompt as `generate` would."""
        prepared = await self._prepare(self._require_loaded(), m.work)
        return prompt_of(self._host, prepared)

    @concurrent
    async def tokenize(self, m: Tokenize) -> TextTokens:
        """Split a text."""
        self._require_loaded()
        return await self.in_thread(tokenize, self._host, m, limiter=self._preparers)

    @concurrent
    async def detokenize(self, m: Detokenize) -> DetokenizedText:
        """Join tokens."""
        self._require_loaded()
        return await self.in_thread(detokenize, self._host, m, limiter=self._preparers)

    # Embedding

    async def embed(self, m: Embed) -> AsyncIterator[Embedded]:
        """Compute vectors."""
        loaded = self._require_loaded()
        if not loaded.can_embed:
            raise Refused.because(501, "this model does not support embeddings")
        inputs = fit_inputs(self._host, loaded, m)
        try:
            vectors = await self._host.embed(inputs.tokens, normalize=m.normalize)
        except EngineError as e:
            raise Refused.because(400, str(e)) from None
        if m.query is None:
            vectors = shape_vectors(vectors, m.dimensions, normalize=m.normalize)
        else:
            vectors = tuple((score(v, normalize=m.normalize),) for v in vectors)
        yield Embedded(vectors, sum(map(len, inputs.tokens)), inputs.truncated)

    def info(self) -> Mapping[str, Any]:
        stats = self._host.stats() if self._loaded is not None else None
        if stats is None:
            return {"loaded": self._loaded is not None}
        return {
            "slots": len(stats.slots),
            "busy_slots": sum(s.work is not None for s in stats.slots),
            "cells_used": stats.cells_used,
            "cells": stats.cells,
            "decode_rate": round(stats.decode_rate, 1),
            "prefill_rate": round(stats.prefill_rate, 1),
            "cached_tokens": stats.cached_tokens,
            "generated_tokens": stats.generated_tokens,
            "threads": stats.threads,
            "faults": dict(self._faults),
        }


def _work_of(number: int, m: Generate, loaded: Loaded, prepared: Prepared) -> Work:
    return Work(
        id=number,
        prompt=prepared.tokens,
        resume=m.resume.tokens,
        sampling=sampling_of(m, loaded.n_vocab, prepared.structure),
        max_tokens=m.options.num_predict,
        stops=prepared.stops,
        num_keep=m.options.num_keep,
        shift=prepared.shift,
        window=prepared.window,
        deterministic=m.options.deterministic,
        thinking=prepared.thinking,
    )


def _pieces_of(host: EngineHost, m: Generate, prepared: Prepared) -> Pieces:
    return Pieces(
        prepared.parser,
        host.detokenize,
        m.resume,
        prepared.stops,
        lambda: call_id(native=prepared.native),
        hold_calls=prepared.native,
        one_call=not (m.request.tool_choice is None or m.request.tool_choice.parallel),
    )


def _goes_ahead(chunk: Chunk, *, native: bool) -> bool:
    """Whether what came with the end gets a chunk of its own before the last one.

    Texts do; calls do behind a Go template only: clients know both habits of the reference.
    """
    calls_alone = bool(chunk.tool_calls) and not native
    return bool(chunk.content or chunk.thinking or chunk.logprobs or chunk.notices) or calls_alone


def _with(chunk: Chunk, done: Done) -> Chunk:
    return evolve(chunk, done=done)
