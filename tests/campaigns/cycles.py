# ruff: noqa: T201 -- a script that prints
"""Loads, unloads and requests without end: does anything grow?

    python -m tests.campaigns.cycles [--cycles N] [--requests N] [--streams N] [--minutes N]

The real daemon and the seedling. First the model is loaded, asked and unloaded, 1,000 times; then
10,000 requests of many kinds are sent, some side by side: short and long prompts, streams, clients
that leave early, bodies that are refused. Prefixes have so little memory and disk that both are
full soon. Resident and proportional memory, threads, open files and the state folder are looked at
again and again; what the last quarter of them has in its median may not be more than the first
one's, but for a tolerance. It ends with 1 if something grew. On a slow machine each of the two parts
may be bounded in time; how far it came is said.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs
import httpx
import psutil
import trio

from tests.integration.daemon import MODEL, Daemon, eventually

__all__ = ["Growth", "Part", "growth", "main"]

MIB = 1 << 20
LOOKS = 80
"""In each part of the campaign."""
KV = {"ACTORLLM_KV_MEMORY": "16MiB", "ACTORLLM_KV_DISK": "8MiB"}
WORDS = ("the fox", "a river", "no moon", "one star", "old trees", "my house", "two birds")
TOLERATED = {"resident MiB": (1.05, 2.0), "MiB": (1.1, 5.0), "": (1.0, 3.0)}
"""By the end of the name: the factor, and what may come on top. What is proportional depends on who
else maps the same libraries."""
FILLED = {"state folder MiB": 10.0, "state folder files": 20.0}
"""What may be reached in any case, until the disk for prefixes is full."""

Look = Mapping[str, float]
"""What was seen, by its name: `who what unit`."""


@attrs.frozen
class Growth:
    """A figure in the first and in the last quarter of a part of the campaign."""

    name: str
    first: float
    last: float
    most: float

    @property
    def grew(self) -> bool:
        factor, more = next(v for end, v in TOLERATED.items() if self.name.endswith(end))
        allowed = max(self.first * factor + more, FILLED.get(self.name, 0.0))
        return self.last > allowed

    def __str__(self) -> str:
        verdict = "GREW" if self.grew else "flat"
        return f"{self.name:<32}{self.first:>10.1f}{self.last:>10.1f}{self.most:>10.1f}  {verdict}"


def growth(looks: Sequence[Look]) -> list[Growth]:
    """Compare the medians of the first and the last quarter of what was seen."""
    quarter = max(1, len(looks) // 4)

    def median(name: str, part: Sequence[Look]) -> float:
        return statistics.median(look[name] for look in part)

    return [
        Growth(
            name,
            median(name, looks[:quarter]),
            median(name, looks[-quarter:]),
            max(look[name] for look in looks),
        )
        for name in (looks[0] if looks else ())
    ]


def look_at(daemon: Daemon) -> Look:
    """Measure the daemon, its runners and its folder."""
    seen = _process("daemon", [daemon.process.pid])
    runners = daemon.runners()
    if runners:
        seen |= _process("runner", runners)
    files = [path for path in daemon.state.rglob("*") if path.is_file()]
    sizes = (path.stat().st_size for path in files)
    seen |= {"state folder files": len(files), "state folder MiB": sum(sizes) / MIB}
    return seen | {"dead letters": daemon.counters()["dead_letters"]}


def _process(who: str, pids: Sequence[int]) -> dict[str, float]:
    processes = [psutil.Process(pid) for pid in pids]
    full = [process.memory_full_info() for process in processes]
    return {
        f"{who} resident MiB": sum(one.rss for one in full) / MIB,
        f"{who} proportional MiB": sum(one.pss for one in full) / MIB,
        f"{who} threads": sum(process.num_threads() for process in processes),
        f"{who} open files": sum(process.num_fds() for process in processes),
        f"{who} child processes": sum(len(process.children()) for process in processes),
    }


def prompt_of(number: int, words: int) -> str:
    """Write a prompt that nobody else has."""
    chance = random.Random(number)
    return f"{number}: " + ", ".join(chance.choice(WORDS) for _ in range(words))


def cycle(daemon: Daemon, number: int) -> None:
    """Load the model, let it say something, and unload it."""
    answer = daemon.post(
        "/api/generate",
        model=MODEL,
        prompt=prompt_of(number, 90 if number % 3 == 0 else 3),
        stream=False,
        options={"num_predict": 4},
    )
    assert answer.status_code == 200, f"cycle {number}: {answer.text}\n{daemon.log[-4000:]}"
    daemon.post("/api/generate", model=MODEL, keep_alive=0).raise_for_status()
    eventually(lambda: not daemon.runners(), within=30, what="the runner is gone")


@attrs.define
class Part:
    """A part of the campaign: so many steps within so much time, and a look now and then."""

    count: int
    seconds: float
    done: int = 0
    looks: list[Look] = attrs.field(factory=list)
    took: float = 0.0

    def numbers(self) -> Iterator[int]:
        """Count the steps until all are done or the time is over."""
        began = time.monotonic()
        while self.done < self.count and time.monotonic() - began < self.seconds:
            self.done += 1
            yield self.done - 1
            self.took = time.monotonic() - began

    def is_due(self, number: int) -> bool:
        """Whether there is a look after a step."""
        return number % max(1, self.count // LOOKS) == 0

    def report(self, what: str) -> bool:
        """Print what was seen; true if nothing grew."""
        rows = growth(self.looks)
        print(f"\n{self.done} of {self.count} {what} in {self.took:.0f} s, {len(self.looks)} looks")
        print(f"{'':<32}{'first':>10}{'last':>10}{'most':>10}")
        print(*rows, sep="\n", flush=True)
        return not any(row.grew for row in rows)


def cycles(daemon: Daemon, part: Part) -> None:
    """Load and unload; look between two cycles."""
    for number in part.numbers():
        cycle(daemon, number)
        if part.is_due(number):
            part.looks.append(look_at(daemon))


async def request(client: httpx.AsyncClient, number: int) -> None:
    """Send one request; its kind follows from its number."""
    kind = number % 6
    options = {"num_predict": 8, "seed": number}
    messages = [{"role": "user", "content": prompt_of(number, 3)}]
    generate = {"model": MODEL, "prompt": prompt_of(number, 90 if kind == 0 else 3)}
    if kind <= 1:
        body = generate | {"stream": False, "options": options}
        (await client.post("/api/generate", json=body)).raise_for_status()
    elif kind == 2:
        body = {"model": MODEL, "messages": messages, "options": options}
        (await client.post("/api/chat", json=body)).raise_for_status()
    elif kind == 3:
        body = {"model": MODEL, "messages": messages, "max_tokens": 8}
        (await client.post("/v1/chat/completions", json=body)).raise_for_status()
    elif kind == 4:
        body = generate | {"options": {"num_predict": 200, "seed": number}}
        async with client.stream("POST", "/api/generate", json=body) as answer:
            answer.raise_for_status()
            async for _ in answer.aiter_lines():
                break  # and the client leaves
    else:
        refused = await client.post("/api/generate", json=generate | {"keep_alive": "long"})
        assert refused.status_code == 400, refused.text


async def requests(daemon: Daemon, part: Part, streams: int) -> None:
    """Send requests, so many side by side; look in between."""
    numbers = part.numbers()

    async def work() -> None:
        for number in numbers:
            await request(client, number)
            if part.is_due(number):
                part.looks.append(await trio.to_thread.run_sync(look_at, daemon))

    limits = httpx.Limits(max_connections=streams)
    async with (
        httpx.AsyncClient(base_url=daemon.url, timeout=60, limits=limits) as client,
        trio.open_nursery() as nursery,
    ):
        for _ in range(streams):
            nursery.start_soon(work)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.cycles")
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--streams", type=int, default=4, help="requests side by side")
    parser.add_argument("--minutes", type=float, default=60, help="at most, for each part")
    asked = parser.parse_args()
    loads = Part(asked.cycles, 60 * asked.minutes)
    questions = Part(asked.requests, 60 * asked.minutes)
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(Path(folder), **KV)
        try:
            daemon.wait()
            cycles(daemon, loads)
            flat = loads.report("loads and unloads")
            daemon.assert_works()
            trio.run(requests, daemon, questions, asked.streams)
            flat &= questions.report("requests")
            daemon.until_idle()
            daemon.assert_works()
        finally:
            daemon.stop()
    print("\nnothing grew" if flat else "\nSOMETHING GREW")
    sys.exit(not flat)


if __name__ == "__main__":
    main()
