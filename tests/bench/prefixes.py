# ruff: noqa: T201 -- a script that prints
"""What prefixes save: bursts with one system prompt, prompts that come again, and long ones.

    python -m tests.bench.prefixes [ROUNDS]

A random model of half a billion parameters answers through HTTP. The bare loop computes the system
prompt once, copies it with `llama_memory_seq_cp`, evaluates all suffixes in one batch, and
generates. Both are taken in turns, and ratios are medians.
"""

import itertools
import json
import random
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import attrs
import httpx
import llama_cpp as cpp

from actorllm.actors.runner.engine.batching import Pass, Run
from actorllm.actors.runner.engine.opening import open_model
from actorllm.actors.runner.engine.threads import usable_cores
from actorllm.actors.runner.engine.types import EngineSettings
from tests.bench.machine import describe
from tests.bench.models import half_billion
from tests.bench.throughput import Case, create
from tests.integration.daemon import Daemon

REQUESTS = 16
SYSTEM_TOKENS = 1000
SUFFIX_TOKENS = 24
ANSWER_TOKENS = 8
LONG_TOKENS = 4000
WINDOW = 4096
MODEL = "random-0.5b"


def tokens(seed: int, count: int) -> list[int]:
    """A prompt that nobody else has."""
    chance = random.Random(seed)
    return [chance.randrange(300, 30_000) for _ in range(count)]


def bursts(round_: int) -> list[list[int]]:
    """Prompts with one beginning; every round has another one."""
    system = tokens(1000 + round_, SYSTEM_TOKENS)
    return [system + tokens(round_ * 100 + n, SUFFIX_TOKENS) for n in range(REQUESTS)]


def bare(path: Path, prompts: list[list[int]], threads: int) -> float:
    """Answer a burst with nothing but llama.cpp; seconds."""
    settings = EngineSettings(
        model_path=str(path), num_ctx=WINDOW, slots=REQUESTS, threads=threads, unified=True
    )
    opened = open_model(settings)
    context = opened.context
    assert context is not None

    def evaluate(*runs: Run) -> None:
        context.decode(Pass("prefill", runs, orderly=False))

    began = time.perf_counter()
    for at in range(0, SYSTEM_TOKENS, 512):
        evaluate(Run(0, at, tuple(prompts[0][at : min(at + 512, SYSTEM_TOKENS)])))
    for slot in range(1, REQUESTS):
        context.copy(0, slot, SYSTEM_TOKENS)
    evaluate(
        *(
            Run(n, SYSTEM_TOKENS, tuple(p[SYSTEM_TOKENS:]), output=True)
            for n, p in enumerate(prompts)
        )
    )
    for step in range(ANSWER_TOKENS - 1):
        at = SYSTEM_TOKENS + SUFFIX_TOKENS + step
        evaluate(*(Run(slot, at, (5,), output=True) for slot in range(REQUESTS)))
        cpp.llama_synchronize(context._context)
    seconds = time.perf_counter() - began
    opened.free()
    return seconds


def best_bare(prompts: list[list[int]]) -> float:
    """The better of a loop with a thread for each core and one with a single thread."""

    def run(threads: int) -> float:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            return pool.submit(bare, half_billion(), prompts, threads).result()

    return min(run(threads) for threads in {1, usable_cores()})


@attrs.frozen
class Answer:
    """What one request took, in seconds, and how much of it was cached."""

    first: float
    whole: float
    gaps: tuple[float, ...]
    prompt: int
    cached: int


def ask(daemon: Daemon, prompt: list[int], count: int) -> Answer:
    """Complete a prompt of tokens, and watch when they come."""
    body: dict[str, Any] = {
        "model": MODEL,
        "prompt": prompt,
        "max_tokens": count,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0,
    }
    began = time.perf_counter()
    times, usage = [], {}
    with httpx.stream("POST", f"{daemon.url}/v1/completions", json=body, timeout=600) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            if not line.startswith("data: {"):
                continue
            frame = json.loads(line[6:])
            usage = frame.get("usage") or usage
            if frame.get("choices"):
                times.append(time.perf_counter())
    gaps = tuple(b - a for a, b in itertools.pairwise(times))
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    return Answer(
        times[0] - began, time.perf_counter() - began, gaps, usage["prompt_tokens"], cached
    )


def burst(daemon: Daemon, prompts: list[list[int]]) -> tuple[float, int]:
    """Send all at once; the seconds until the last one ends, and the tokens that were computed."""
    answers: list[Answer] = []
    threads = [
        threading.Thread(target=lambda p=p: answers.append(ask(daemon, p, ANSWER_TOKENS)))
        for p in prompts
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    assert len(answers) == len(prompts)
    return seconds, sum(a.prompt - a.cached for a in answers)


def measure_bursts(daemon: Daemon, rounds: int) -> None:
    """Print how bursts do beside the bare loop."""
    ours, loops, counts = [], [], []
    for number in range(rounds):
        prompts = bursts(number)
        loops.append(best_bare(prompts))
        seconds, computed = burst(daemon, prompts)
        ours.append(seconds)
        counts.append(computed / (SYSTEM_TOKENS + REQUESTS * SUFFIX_TOKENS))
    ratio = statistics.median(a / b for a, b in zip(ours, loops, strict=True))
    print(
        f"burst of {REQUESTS}, one system prompt of {SYSTEM_TOKENS} tokens: "
        f"bare {statistics.median(loops):.2f} s, HTTP {statistics.median(ours):.2f} s, "
        f"ratio {ratio:.2f} ({min(a / b for a, b in zip(ours, loops, strict=True)):.2f} at best); "
        f"tokens computed over the least possible: {max(counts):.3f}",
        flush=True,
    )


def measure_returns(daemon: Daemon, folder: Path) -> Daemon:
    """Print the time to the first token of a long prompt that comes again."""
    prompt = tokens(7, LONG_TOKENS)
    first = ask(daemon, prompt, 2)
    report("again", first, ask(daemon, prompt, 2))
    others = [tokens(seed, 64) for seed in range(20, 20 + REQUESTS)]
    busy = threading.Thread(target=lambda: ask(daemon, prompt, 64))
    busy.start()
    time.sleep(0.5)
    report("again, from another slot", first, ask(daemon, prompt, 2))
    busy.join()
    burst(daemon, others)
    report("again, after a burst of others", first, ask(daemon, prompt, 2))
    unload = {"model": MODEL, "keep_alive": 0}
    httpx.post(f"{daemon.url}/api/generate", json=unload, timeout=60).raise_for_status()
    while httpx.get(f"{daemon.url}/api/ps").json()["models"]:
        time.sleep(0.1)
    ask(daemon, [1, 2, 3], 1)  # loads
    report("again, after an unload", first, ask(daemon, prompt, 2))
    daemon.stop()
    daemon = start(folder)
    ask(daemon, [1, 2, 3], 1)
    report("again, after a restart", first, ask(daemon, prompt, 2))
    return daemon


def report(what: str, first: Answer, second: Answer) -> None:
    print(
        f"{LONG_TOKENS} tokens {what}: first token after {first.first:.2f} s, "
        f"then {second.first:.3f} s, ratio {second.first / first.first:.4f} "
        f"({second.cached} of {second.prompt} tokens cached)",
        flush=True,
    )


def measure_stalls(daemon: Daemon) -> None:
    """Print how long a running stream waits while a long prompt is evaluated."""
    alone = ask(daemon, tokens(31, LONG_TOKENS - 100), 1).first
    steps = ask(daemon, tokens(32, 64), 24).gaps
    stream: list[Answer] = []
    reader = threading.Thread(
        target=lambda: stream.append(ask(daemon, tokens(33, 64), WINDOW - 100))
    )
    reader.start()
    time.sleep(1)
    beside = ask(daemon, tokens(34, LONG_TOKENS - 100), 1).first
    daemon_gaps = lambda: sorted(stream[0].gaps)  # noqa: E731 -- read when the stream has ended
    reader.join()
    gaps = daemon_gaps()
    print(
        f"longest gap of a stream beside a prompt of {LONG_TOKENS - 100} tokens: {gaps[-1]:.3f} s, "
        f"99 %: {gaps[int(len(gaps) * 0.99)]:.3f} s; a step alone: {statistics.median(steps):.3f} s; "
        f"the prompt takes {beside / alone:.2f} times as long as alone ({alone:.1f} s)",
        flush=True,
    )


def start(folder: Path) -> Daemon:
    return Daemon(folder / "state", ACTORLLM_CONTEXT_LENGTH=str(WINDOW)).wait()


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print(describe(), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        daemon = start(folder)
        try:
            create(daemon, Case(MODEL, half_billion(), 0))
            ask(daemon, tokens(1, 128), 32)  # loads, and adapts the threads
            measure_bursts(daemon, rounds)
            daemon = measure_returns(daemon, folder)
            measure_stalls(daemon)
        finally:
            daemon.stop()


if __name__ == "__main__":
    main()
