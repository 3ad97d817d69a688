# ruff: noqa: T201 -- a script that prints
"""The rows of docs/performance.md: what the daemon reaches, and a bare loop in the same run.

    python -m tests.bench.table [--rounds N] [--long TOKENS] [ROW...]

    shared-prefix   16 requests at once that share a system prompt of 1,000 tokens
    stall           the longest gap in a running stream while a prompt of 6,000 tokens loads
    second-prompt   the same prompt of 4,000 tokens again: at once, in another slot, after others
                    took its slots, after an unload, after a restart; the model is loaded each
                    time, so that its load does not count, but reading the prompt's state does
    streams         tokens/s with prompts of 64 tokens, of 1, 4, 8 and 16 streams
    busy            one stream while one and two other processes compute

On two quiet cores a round of a row takes one or two minutes. The model is random, of half a billion
parameters in Q8_0. Daemon and loop take turns; a ratio is the median of the rounds' ratios.
"""

import argparse
import math
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import attrs
import trio

from actorllm.cli.bench import figures
from actorllm.cli.bench.figures import Figure, Sample
from actorllm.cli.bench.running import beside_running
from actorllm.cli.bench.statistics import Spread, ratio, spread
from actorllm.cli.bench.workloads import ask
from tests.bench.busy import busy
from tests.bench.machine import describe
from tests.bench.stage import Stage, bare, plan_of

HEAD = ("what", "actorllm", "beside", "ratio", "to reach")


@attrs.frozen(kw_only=True)
class Line:
    """One line of the table: the values of the rounds, and what they are compared with."""

    what: str
    unit: str
    ours: Sequence[float]
    base: Sequence[float]
    base_is: str = "bare loop"
    aim: str = "–"

    def __str__(self) -> str:
        compared = ratio(self.ours, self.base)
        cells = (
            self.what,
            f"{_text(spread(self.ours))} {self.unit}",
            f"{_text(spread(self.base))} {self.unit}, {self.base_is}",
            _text(compared) if compared else "–",
            self.aim,
        )
        return f"| {' | '.join(cells)} |"


def _text(value: Spread) -> str:
    def short(number: float) -> str:
        return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"

    if value.least == value.most:
        return short(value.median)
    return f"{short(value.median)} ({short(value.least)}–{short(value.most)})"


def _values(samples: Sequence[Sample], figure: Figure) -> list[float]:
    return [sample[figure] for sample in samples if figure in sample]


async def shared_prefix(folder: Path, rounds: int, _: int) -> list[Line]:
    streams, plan = 16, plan_of("shared-prefix")
    stage = Stage(plan, folder, streams)
    samples, loops, needed = [], [], []
    try:
        async with stage.prepared() as server:
            for number in range(rounds):
                sample = await stage.sample(server, streams, number)
                own = round(sample[figures.PROMPT_TOKENS] / streams) - plan.prompt_tokens
                times = await bare(
                    streams=streams, shared=plan.prompt_tokens, prompt=own, tokens=plan.tokens
                )
                samples.append(sample)
                loops.append(times.total)
                needed.append(float(plan.prompt_tokens + streams * own))
    finally:
        stage.stop()
    lines = [
        Line(
            what="16 requests that share 1,000 tokens, wall time",
            unit="s",
            ours=_values(samples, figures.WALL),
            base=loops,
            aim="at most 1.1",
        )
    ]
    computed = _values(samples, figures.PROMPT_COMPUTED)
    if computed:
        lines.append(
            Line(
                what="their prompt tokens computed",
                unit="tokens",
                ours=computed,
                base=needed,
                base_is="prefix once, and the suffixes",
                aim="at most 1.1",
            )
        )
    return lines


async def stall(folder: Path, rounds: int, long: int) -> list[Line]:
    plan = plan_of("long-beside-short", prompt=long)
    stage = Stage(plan, folder, slots=4)
    samples, steps, prompts = [], [], []
    try:
        async with stage.prepared() as server:
            for number in range(rounds):
                sample = await stage.sample(server, 1, number)
                samples.append(sample)
                steps.append(1000 / (await bare(prompt=16, tokens=33)).rate)
                prompts.append((await bare(prompt=int(sample[figures.PROMPT_TOKENS]))).prompts)
    finally:
        stage.stop()
    alone = _values(samples, figures.ALONE_TTFT)
    return [
        Line(
            what=f"longest gap in a stream while {plan.prompt_tokens:,} tokens load",
            unit="ms",
            ours=_values(samples, figures.STALL),
            base=steps,
            base_is="a step of the bare loop",
            aim="200 ms, or 2",
        ),
        Line(
            what=f"first token of the {plan.prompt_tokens:,}-token prompt meanwhile",
            unit="s",
            ours=_values(samples, figures.LONG_TTFT),
            base=alone,
            base_is="alone",
            aim="at most 1.15",
        ),
        Line(what="first token of it alone", unit="s", ours=alone, base=prompts),
    ]


async def second_prompt(folder: Path, rounds: int, long: int) -> list[Line]:
    plan = plan_of("second-prompt", prompt=long)
    stage = Stage(plan, folder, slots=4)
    first: list[float] = []
    again: dict[str, list[float]] = {
        "at once": [],
        "in another slot": [],
        "after others took its slots": [],
        "after an unload": [],
        "after a restart": [],
    }
    try:
        async with stage.prepared() as server:
            words = [plan.round(1, str(n)).words(server, "twice") for n in range(rounds)]
        for number, text in enumerate(words):
            part = plan.round(1, str(number))
            first.append(await _first_token(stage, text))
            again["at once"].append(await _first_token(stage, text))
            again["in another slot"].append(await _first_token(stage, text, occupied=True))
            for other in range(2 * stage.slots):
                await _first_token(stage, f"{number}.{other}: " + text[:100])
            again["after others took its slots"].append(await _first_token(stage, text))
            stage.unload()
            stage.load(part.window)
            again["after an unload"].append(await _first_token(stage, text))
            stage.restart()
            stage.load(part.window)
            again["after a restart"].append(await _first_token(stage, text))
    finally:
        stage.stop()
    return [
        Line(
            what=f"first token of a {plan.prompt_tokens:,}-token prompt again, {how}",
            unit="s",
            ours=values,
            base=first,
            base_is="the first time",
            aim="at most 0.01",
        )
        for how, values in again.items()
    ]


async def _first_token(stage: Stage, text: str, *, occupied: bool = False) -> float:
    """Ask once; if wished, while a stream of the same prompt keeps the slot that knows it."""
    part = stage.plan.round(1, "")
    async with stage.server() as server:
        job = partial(ask, server, part.call(server, text))
        if occupied:
            same = part.call(server, text, number=1, tokens=part.tokens * 64)
            trace, _ = await beside_running(server, 1, lambda *_: same, job)
        else:
            trace = await job()
    return math.nan if trace.ttft is None else trace.ttft


async def streams(folder: Path, rounds: int, _: int) -> list[Line]:
    plan = plan_of("chat", tokens=64)
    stage = Stage(plan, folder, max(plan.streams))
    lines = []
    try:
        async with stage.prepared() as server:
            for count in plan.streams:
                samples, loops = [], []
                for number in range(rounds):
                    sample = await stage.sample(server, count, number)
                    prompt = round(sample[figures.PROMPT_TOKENS] / count)
                    times = await bare(streams=count, prompt=prompt, tokens=plan.tokens)
                    samples.append(sample)
                    loops.append(count * plan.tokens / times.total)
                lines.append(
                    Line(
                        what=f"tokens/s with prompts of 64, streams: {count}",
                        unit="tok/s",
                        ours=_values(samples, figures.RATE_ALL),
                        base=loops,
                        aim="at least 0.97",
                    )
                )
    finally:
        stage.stop()
    return lines


async def under_load(folder: Path, rounds: int, _: int) -> list[Line]:
    plan = plan_of("chat", 1, tokens=96)
    stage = Stage(plan, folder, slots=4)
    ours: dict[int, list[float]] = {0: [], 1: [], 2: []}
    loops: dict[int, list[float]] = {0: [], 1: [], 2: []}
    try:
        async with stage.prepared() as server:
            for number in range(rounds):
                for others, rates in ours.items():
                    with busy(others):
                        sample = await stage.sample(server, 1, number * len(ours) + others)
                        times = await bare(prompt=64, tokens=24)
                    rates.append(sample[figures.RATE_STREAM])
                    loops[others].append(times.rate)
    finally:
        stage.stop()
    told = {0: "nothing else", 1: "one other process", 2: "two other processes"}
    lines = [
        Line(what=f"tokens/s of a stream beside {what}", unit="tok/s", ours=ours[n], base=loops[n])
        for n, what in told.items()
    ]
    for others in (1, 2):
        for who, values in (("actorllm", ours), ("the bare loop", loops)):
            lines.append(
                Line(
                    what=f"the same of {who} beside {told[others]}",
                    unit="tok/s",
                    ours=values[others],
                    base=values[0],
                    base_is="idle",
                    aim="at least 0.4" if values is ours else "–",
                )
            )
    return lines


ROWS: dict[str, Callable[[Path, int, int], Awaitable[list[Line]]]] = {
    "shared-prefix": shared_prefix,
    "stall": stall,
    "second-prompt": second_prompt,
    "streams": streams,
    "busy": under_load,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.table")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--long", type=int, default=0, help="tokens of long prompts, if not usual")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    asked = parser.parse_args()
    unknown = set(asked.rows) - set(ROWS)
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    print(f"{describe()}; {asked.rounds} rounds\n")
    print(f"| {' | '.join(HEAD)} |\n|{' --- |' * len(HEAD)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.rows or ROWS:
            for line in trio.run(ROWS[name], Path(folder) / name, asked.rounds, asked.long):
                print(line, flush=True)


if __name__ == "__main__":
    main()
