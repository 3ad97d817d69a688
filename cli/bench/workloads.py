"""What one round does to one server.

chat               streams side by side, each with a prompt of its own
shared-prefix      a burst of requests that share a long system prompt
long-beside-short  a long prompt while other streams run
second-prompt      the same long prompt twice
embed              texts in one request, one by one, and in requests side by side
"""

import math
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import perf_counter

import attrs

from actorllm.cli.bench import results
from actorllm.cli.bench.dialects import Call, Question, read
from actorllm.cli.bench.figures import Sample
from actorllm.cli.bench.prompts import text
from actorllm.cli.bench.running import beside_running
from actorllm.cli.bench.server import Server
from actorllm.cli.bench.tasks import side_by_side
from actorllm.cli.bench.traces import Recording, Trace

__all__ = ["EMBED_TEXTS", "WORKLOADS", "Round", "Workload", "ask", "window"]

EMBED_TEXTS = 64
"""Texts of one round of `embed`."""

_QUESTION_TOKENS = 16
"""Length of what each request of a burst asks behind the shared prompt, and of running streams."""

_FEW_TOKENS = 8
"""Of an answer whose first token alone matters; the very first may be no text."""

_WARM_TOKENS = 16

_TEMPLATE_TOKENS = 256
"""Room for what templates add, and for prompts that come out longer than wished."""

_WINDOW_STEP = 1024


@attrs.frozen(kw_only=True)
class Round:
    """The parameters of one round."""

    streams: int
    prompt_tokens: int
    tokens: int
    """Most tokens of an answer."""
    seed: str
    """Another one for each server and round, so that no cache knows a prompt."""

    window: int
    """Tokens of context of all requests: another number could make a server load anew."""

    def words(self, server: Server, which: object, tokens: int = 0) -> str:
        """Write a text that no other request of any round has."""
        return text(f"{self.seed}/{which}", server.ruler.words(tokens or self.prompt_tokens))

    def call(
        self, server: Server, words: str, *, number: int = 0, system: str = "", tokens: int = 0
    ) -> Call:
        """Make a request of this round; the number is the seed of its sampling."""
        question = Question(
            text=words,
            system=system,
            tokens=tokens or self.tokens,
            seed=number,
            window=self.window,
        )
        return server.dialect.chat(server.model, question)


async def ask(server: Server, call: Call) -> Trace:
    """Ask, and read the answer when it is complete."""
    return read(server.dialect, await server.record(call, Recording()))


def window(prompt_tokens: int, tokens: int) -> int:
    """Return how many tokens of context a request of a workload needs, on the safe side."""
    needed = prompt_tokens + tokens + _QUESTION_TOKENS + _TEMPLATE_TOKENS
    return math.ceil(needed / _WINDOW_STEP) * _WINDOW_STEP


async def count_chat(server: Server, plan: Round, words: str) -> int | None:
    """Return how many prompt tokens the server counts for a text, with its template."""
    trace = await ask(server, plan.call(server, words, tokens=_FEW_TOKENS))
    return trace.counts.prompt


async def count_embedded(server: Server, _: Round, words: str) -> int | None:
    """Return how many tokens the server counts for a text to be embedded."""
    answer = await server.post(server.dialect.embed(server.model, [words]))
    return server.dialect.embed_counts(answer).prompt


async def warm_streams(server: Server, plan: Round) -> None:
    """Let a server see so many streams once, which it may fit its threads or batches to."""
    words = partial(plan.words, server, tokens=_QUESTION_TOKENS)
    calls = [
        plan.call(server, words(number), tokens=_WARM_TOKENS) for number in range(plan.streams)
    ]
    await side_by_side([partial(ask, server, call) for call in calls])


async def warm_nothing(_: Server, __: Round) -> None:
    """Do nothing: the texts that are counted before have loaded the model."""


@attrs.frozen(kw_only=True)
class Workload:
    """A workload with its defaults."""

    run: Callable[[Server, Round], Awaitable[Sample]]
    count: Callable[[Server, Round, str], Awaitable[int | None]] = count_chat
    """How many tokens the server counts for a text."""
    warm_up: Callable[[Server, Round], Awaitable[None]] = warm_nothing
    """Done once for each number of streams."""
    streams: tuple[int, ...]
    prompt_tokens: int
    tokens: int = _FEW_TOKENS


async def chat(server: Server, plan: Round) -> Sample:
    """Measure streams side by side."""
    calls = [
        plan.call(server, plan.words(server, number), number=number)
        for number in range(plan.streams)
    ]
    traces = await side_by_side([partial(ask, server, call) for call in calls])
    return results.streams(traces, asked=plan.tokens)


async def shared_prefix(server: Server, plan: Round) -> Sample:
    """Measure a burst of requests with one system prompt."""
    system = plan.words(server, "system")
    calls = [
        plan.call(
            server,
            plan.words(server, number, _QUESTION_TOKENS),
            number=number,
            system=system,
        )
        for number in range(plan.streams)
    ]
    traces = await side_by_side([partial(ask, server, call) for call in calls])
    return results.burst(traces, asked=plan.tokens)


async def long_beside_short(server: Server, plan: Round) -> Sample:
    """Measure how running streams stall while a long prompt loads, and how it fares itself."""

    def short(stream: int, turn: int) -> Call:
        words = plan.words(server, f"short {stream}.{turn}", _QUESTION_TOKENS)
        return plan.call(server, words, number=stream)

    def long(which: str) -> Call:
        return plan.call(server, plan.words(server, which), tokens=_FEW_TOKENS)

    alone = await ask(server, long("alone"))
    beside, running = await beside_running(
        server, plan.streams, short, partial(ask, server, long("beside"))
    )
    return results.stall(running, beside, alone)


async def second_prompt(server: Server, plan: Round) -> Sample:
    """Measure a prompt, and the same one again."""
    call = plan.call(server, plan.words(server, "twice"))
    first = await ask(server, call)
    return results.second(first, await ask(server, call))


async def embed(server: Server, plan: Round) -> Sample:
    """Measure the same texts in one request, one by one, and in requests side by side."""
    texts = [plan.words(server, number) for number in range(EMBED_TEXTS)]

    async def each(part: Sequence[str]) -> list[list[float]]:
        return [vector for one in part for vector in await _vectors(server, [one])]

    began = perf_counter()
    together = await _vectors(server, texts)
    after_one = perf_counter()
    serial = await each(texts)
    after_serial = perf_counter()
    await side_by_side([partial(each, texts[n :: plan.streams]) for n in range(plan.streams)])
    return results.embeddings(
        together,
        serial,
        one_request=after_one - began,
        one_by_one=after_serial - after_one,
        side_by_side=perf_counter() - after_serial,
    )


async def _vectors(server: Server, texts: Sequence[str]) -> list[list[float]]:
    answer = await server.post(server.dialect.embed(server.model, texts))
    return server.dialect.vectors(answer)


WORKLOADS = {
    "chat": Workload(
        run=chat, warm_up=warm_streams, streams=(1, 4, 8, 16), prompt_tokens=64, tokens=128
    ),
    "shared-prefix": Workload(
        run=shared_prefix, warm_up=warm_streams, streams=(16,), prompt_tokens=1000, tokens=8
    ),
    "long-beside-short": Workload(
        run=long_beside_short, streams=(1,), prompt_tokens=6000, tokens=512
    ),
    "second-prompt": Workload(run=second_prompt, streams=(1,), prompt_tokens=4000),
    "embed": Workload(run=embed, count=count_embedded, streams=(16,), prompt_tokens=64),
}
"""By the name on the command line."""
