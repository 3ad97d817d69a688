"""Warm-up, then rounds in which the servers take turns."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import attrs

from actorllm.cli.bench.dialects import Api
from actorllm.cli.bench.figures import Sample
from actorllm.cli.bench.identity import Sameness, sameness
from actorllm.cli.bench.prompts import Ruler, ruling_words, text
from actorllm.cli.bench.server import Server, opened
from actorllm.cli.bench.workloads import WORKLOADS, Round, window
from actorllm.cli.errors import Failure

__all__ = ["Case", "Plan", "Result", "Target", "prepare", "run", "take_turns"]

Say = Callable[[str], None]


@attrs.frozen(kw_only=True)
class Target:
    """A server to be measured, as it was named."""

    url: str
    api: Api | None = None
    """None: find out."""
    model: str = ""
    """Empty: the only one it has."""


@attrs.frozen(kw_only=True)
class Plan:
    """What is measured, with all defaults filled in."""

    workload: str
    streams: tuple[int, ...]
    prompt_tokens: int
    tokens: int
    rounds: int
    seed: int

    def round(self, streams: int, seed: str) -> Round:
        """Return the parameters of one round."""
        return Round(
            streams=streams,
            prompt_tokens=self.prompt_tokens,
            tokens=self.tokens,
            seed=seed,
            window=window(self.prompt_tokens, self.tokens),
        )


@attrs.frozen
class Case:
    """A number of streams, and what each round measured with them on each server."""

    streams: int
    samples: tuple[tuple[Sample, ...], ...]
    """By server, by round."""


@attrs.frozen(kw_only=True)
class Result:
    """All that was measured, and on what."""

    plan: Plan
    servers: tuple[Server, ...]
    same_model: Sameness | None
    """None: there is one server."""
    cases: tuple[Case, ...]


async def run(plan: Plan, targets: Sequence[Target], say: Say, *, different: bool) -> Result:
    """Measure one server, or two in alternation.

    Args:
        plan: What to measure.
        targets: The servers; the second one is what the first one is compared with.
        say: Told each step.
        different: Go on if the servers' models are not the same.

    Raises:
        Failure: A server fails, or two models differ.
    """
    async with AsyncExitStack() as stack:
        servers = []
        for target in targets:
            connection = opened(target.url, target.api, target.model)
            servers.append(await stack.enter_async_context(connection))
        same = _compare(servers, different=different)
        for number, server in enumerate(servers):
            say(f"warming up {server.url}: {server.identity}")
            servers[number] = await prepare(plan, server)
        cases = [await take_turns(plan, streams, servers, say) for streams in plan.streams]
        return Result(plan=plan, servers=tuple(servers), same_model=same, cases=tuple(cases))


def _compare(servers: Sequence[Server], *, different: bool) -> Sameness | None:
    if len(servers) < 2:
        return None
    ours, theirs = (server.identity for server in servers)
    same = sameness(ours, theirs)
    if same == "different" and not different:
        raise Failure(
            f"the models differ: {ours} and {theirs}; give --different-models to compare them"
        )
    return same


async def take_turns(plan: Plan, streams: int, servers: Sequence[Server], say: Say) -> Case:
    """Measure one case: in each round one server after the other."""
    workload = WORKLOADS[plan.workload]
    for which, server in enumerate(servers):
        await workload.warm_up(server, plan.round(streams, f"{plan.seed}/{streams}/warm/{which}"))
    samples: list[list[Sample]] = [[] for _ in servers]
    for number in range(plan.rounds):
        for which, server in enumerate(servers):
            say(f"{plan.workload}, streams: {streams}, round {number + 1}: {server.url}")
            # The same text on both would be cached on the second one, if they are one server.
            seed = f"{plan.seed}/{streams}/{number}/{which}"
            samples[which].append(await workload.run(server, plan.round(streams, seed)))
    return Case(streams, tuple(map(tuple, samples)))


async def prepare(plan: Plan, server: Server) -> Server:
    """Load the model, and learn how many tokens a word is."""
    count = WORKLOADS[plan.workload].count
    lengths, counts = ruling_words(plan.prompt_tokens), []
    for words in lengths:
        seed = f"{plan.seed}/{server.url}/{words}"
        counts.append(await count(server, plan.round(1, seed), text(seed, words)))
    return server.with_ruler(Ruler.of_counts(lengths, counts))
