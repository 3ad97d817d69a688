# ruff: noqa: T201 -- a script that prints
"""Tokens per second through HTTP, over those of a bare decode-and-sample loop.

    python -m tests.bench.throughput [ROUNDS [STREAMS...]]

Both are taken in turns, as no machine is quiet for long. The ratio is the median of the rounds';
that of the best rounds says what a quiet machine would give.
"""

import json
import selectors
import socket
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import httpx
import llama_cpp as cpp

from actorllm.actors.runner.engine.batching import Pass, Run
from actorllm.actors.runner.engine.opening import open_model
from actorllm.actors.runner.engine.threads import usable_cores
from actorllm.actors.runner.engine.types import EngineSettings
from tests.bench.machine import describe
from tests.bench.models import half_billion, seedling
from tests.integration.daemon import Daemon

WINDOW = 1024
PROMPT_TOKENS = 8


@attrs.frozen
class Case:
    """A model, and how many tokens each stream has."""

    name: str
    path: Path
    tokens: int


def bare(path: Path, streams: int, tokens: int, threads: int) -> float:
    """Generate with nothing but llama.cpp and a prepared batch."""
    settings = EngineSettings(model_path=str(path), num_ctx=WINDOW, slots=streams, threads=threads)
    opened = open_model(settings)
    context = opened.context
    assert context is not None
    prompt = tuple(range(100, 100 + PROMPT_TOKENS))
    chains = []
    for slot in range(streams):
        context.decode(Pass("prefill", (Run(slot, 0, prompt, output=True),), orderly=True))
        chains.append(sampler(slot))
    batch = context._batch
    batch.fill([Run(slot, len(prompt), (5,), output=True) for slot in range(streams)])
    began = time.perf_counter()
    for _ in range(tokens):
        assert cpp.llama_decode(context._context, batch.struct) == 0
        for row, chain in enumerate(chains):
            batch.token[row] = cpp.llama_sampler_sample(chain, context._context, row)
            batch.pos[row] += 1
    seconds = time.perf_counter() - began
    opened.free()
    return streams * tokens / seconds


def best_bare(case: Case, streams: int) -> float:
    """The better of a loop with a thread for each core and one with a single thread."""

    def run(threads: int) -> float:
        # A process for each: threads that a loop left behind would slow down the next one.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            return pool.submit(bare, case.path, streams, case.tokens, threads).result()

    return max(run(threads) for threads in {1, usable_cores()})


def sampler(seed: int) -> Any:
    """The chain of the default options."""
    chain = cpp.llama_sampler_chain_init(cpp.llama_sampler_chain_default_params())
    for link in (
        cpp.llama_sampler_init_top_k(40),
        cpp.llama_sampler_init_top_p(0.9, 1),
        cpp.llama_sampler_init_temp(0.8),
        cpp.llama_sampler_init_dist(seed),
    ):
        cpp.llama_sampler_chain_add(chain, link)
    return chain


def through_http(daemon: Daemon, model: str, streams: int, tokens: int) -> float:
    """Generate through the daemon, with a client that does as little as it can.

    The time begins with the first frame of any stream, so the other streams' prompts are in it.
    """
    parts = urlsplit(daemon.url)
    counted = 0
    first = 0.0
    with selectors.DefaultSelector() as selector:
        for seed in range(streams):
            sock = socket.create_connection((parts.hostname, parts.port))
            sock.sendall(request(model, seed, tokens))
            selector.register(sock, selectors.EVENT_READ, bytearray())
        while selector.get_map():
            for key, _ in selector.select():
                data = key.fileobj.recv(1 << 16)
                first = first or time.perf_counter()
                key.data.extend(data)
                if not data:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
                    counted += eval_count(bytes(key.data))
    return (counted - streams) / (time.perf_counter() - first)


def request(model: str, seed: int, tokens: int) -> bytes:
    """A raw request that closes its connection at the end."""
    prompt = " ".join("abcdefgh"[:PROMPT_TOKENS])
    options = {"seed": seed, "num_predict": tokens, "num_ctx": WINDOW}
    body = {"model": model, "prompt": prompt, "raw": True, "options": options}
    data = json.dumps(body).encode()
    head = f"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + data


def eval_count(answer: bytes) -> int:
    """The tokens that the last frame counts."""
    last = next(line for line in reversed(answer.splitlines()) if line.startswith(b"{"))
    frame = json.loads(last)
    assert frame.get("done"), frame
    return int(frame["eval_count"])


def create(daemon: Daemon, case: Case) -> None:
    import ollama

    client = ollama.Client(daemon.url, timeout=httpx.Timeout(300))
    client.create(case.name, files={"m.gguf": client.create_blob(case.path)})


def measure(case: Case, streams: int, rounds: int, folder: Path) -> str:
    """One line of the report."""
    loops, ours = [], []
    daemon = Daemon(folder / f"{case.name}-{streams}", ACTORLLM_NUM_PARALLEL=str(streams)).wait()
    try:
        create(daemon, case)
        through_http(daemon, case.name, streams, 16)  # loads, and adapts the threads
        for _ in range(rounds):
            loops.append(best_bare(case, streams))
            ours.append(through_http(daemon, case.name, streams, case.tokens))
    finally:
        daemon.stop()
    ratios = [b / a for a, b in zip(loops, ours, strict=True)]
    return (
        f"{case.name}, {streams} streams: "
        f"bare {statistics.median(loops):.0f} tok/s, HTTP {statistics.median(ours):.0f} tok/s; "
        f"ratio {statistics.median(ratios):.3f} ({min(ratios):.2f} to {max(ratios):.2f}), "
        f"of the best {max(ours) / max(loops):.3f} ({max(ours):.0f} / {max(loops):.0f})"
    )


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    counts = [int(n) for n in sys.argv[2:]] or [1, 4, 8]
    print(describe(), flush=True)
    cases = (Case("seedling", seedling(), 900), Case("random-0.5b", half_billion(), 128))
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            for streams in counts:
                print(measure(case, streams, rounds, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
