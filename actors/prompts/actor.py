"""Answers questions about prompts: what a model would read, and how its words would be read."""

import time
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import trio

from actorllm.actors.kernel import Actor, KernelError, Ref, concurrent
from actorllm.actors.prompts import alone
from actorllm.actors.prompts.bounds import check_answer, check_text, check_tokens
from actorllm.actors.prompts.sources import check_source, own_reason, with_source
from actorllm.actors.queue.checks import check_capabilities, effective_think
from actorllm.actors.queue.refusals import unanswered
from actorllm.actors.queue.work import ignored_options
from actorllm.actors.runner.messages import Detokenize, Generate, Render, Tokenize
from actorllm.protocol.codec import Ask, evolve
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import GenerateRequest
from actorllm.protocol.messages.models import ResolvedModel, ResolveModel
from actorllm.protocol.messages.prompts import (
    DetokenizedText,
    DetokenizeText,
    ParseAnswer,
    ParsedAnswer,
    RenderedPrompt,
    RenderPrompt,
    TextTokens,
    TokenizeText,
)
from actorllm.protocol.messages.scheduling import Acquire
from actorllm.protocol.options import Options, merge

__all__ = ["Prompts"]

R = TypeVar("R")

_THREADS = 2
"""Templates and parsers that may work at one time in the daemon."""
_ATTEMPTS = 2
_RETRY_PAUSE = 0.05
_RESOLVE_SECONDS = 30.0
_ANSWER_SECONDS = 120.0
"""A conversation that is too long is rendered a dozen times, each for up to ten seconds."""


class Prompts(Actor):
    """Renders, parses, splits and joins; where it takes a vocabulary, on a leased runner."""

    async def started(self) -> None:
        self._threads = trio.CapacityLimiter(_THREADS)

    async def render(self, m: RenderPrompt) -> AsyncIterator[RenderedPrompt]:
        """Make a prompt: one item."""
        check_source(m)
        if not m.model:
            yield await self._in_thread(alone.render, m, time.time())
            return
        await self._in_thread(alone.check, m)
        model = await self._resolve(m.model)
        request = GenerateRequest(
            m.model,
            "chat",
            messages=m.messages,
            tools=m.tools,
            think=m.think,
            truncate=m.truncate,
            drop_unsupported_thinking=m.drop_unsupported_thinking,
        )
        reason: str | None = own_reason(m)
        if not reason:  # with another template the model can do other things
            check_capabilities(request, model)
        chosen = with_source(model, m)
        request = evolve(request, think=effective_think(request, chosen))
        options, ignored = merge(Options(), chosen.params, m.options)
        work = Render(Generate(request, chosen, options, time.time()))
        made = await self._ask_runner(chosen, options, m.client, m.keep_alive, work)
        reason = reason or await self._in_thread(alone.why, chosen, made.template)
        notices = (*ignored_options(ignored), *made.notices)
        yield evolve(made, reason=reason or made.reason, notices=notices)

    @concurrent
    async def parse(self, m: ParseAnswer) -> ParsedAnswer:
        """Read a model's output."""
        if not (m.model or m.parser):
            raise Refused.because(400, "name a model or a parser")
        check_answer(m.chunks)
        model = await self._resolve(m.model) if m.model else None
        return await self._in_thread(alone.parse, m, model, time.time())

    async def tokenize(self, m: TokenizeText) -> AsyncIterator[TextTokens]:
        """Split a text: one item."""
        check_text(m.text, shown=m.pieces)
        model = await self._resolve(m.model)
        options, _ = merge(Options(), model.params)
        question = Tokenize(m.text, m.add_special, m.parse_special, m.pieces)
        yield await self._ask_runner(model, options, m.client, m.keep_alive, question)

    async def detokenize(self, m: DetokenizeText) -> AsyncIterator[DetokenizedText]:
        """Join tokens: one item."""
        check_tokens(m.tokens)
        model = await self._resolve(m.model)
        options, _ = merge(Options(), model.params)
        question = Detokenize(m.tokens)
        yield await self._ask_runner(model, options, m.client, m.keep_alive, question)

    async def _in_thread(self, work: Callable[..., R], *args: Any) -> R:
        return await trio.to_thread.run_sync(work, *args, limiter=self._threads)

    async def _resolve(self, name: str) -> ResolvedModel:
        if not name:
            raise Refused.because(400, "model is required")
        library = self.ctx.ref("/library")
        try:
            question = ResolveModel(name, "chat")
            return await library.ask(question, timeout=_RESOLVE_SECONDS, again=True)
        except KernelError as e:
            raise self._unanswered(e) from e

    async def _ask_runner(
        self,
        model: ResolvedModel,
        options: Options,
        client: str,
        keep_alive: int | None,
        question: Ask[R],
    ) -> R:
        """Lease a runner and ask it; once more if it died.

        Raises:
            Refused: The scheduler or the runner refused, or nobody answered (503).
        """
        acquire = Acquire(model, options, client, keep_alive)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self.ctx.ref("/scheduler").stream(acquire) as leases:
                    async for lease in leases:
                        runner = Ref(self.ctx.node, lease.runner, lease.incarnation)
                        return await runner.ask(question, timeout=_ANSWER_SECONDS)
            except KernelError as e:
                if attempt == _ATTEMPTS:
                    raise self._unanswered(e) from e
                self.ctx.log.warning("asking another runner", error=str(e))
            await trio.sleep(_RETRY_PAUSE)
        raise Refused.because(500, "the scheduler gave no runner; try again")

    def _unanswered(self, error: KernelError) -> Refused:
        self.ctx.log.warning("gave a question up", error=str(error))
        return unanswered()
