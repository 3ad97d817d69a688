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
from pathlib import Path
from urllib.parse import urlsplit

import attrs

from tests.bench.loop import Work, best
from tests.bench.machine import describe
from tests.bench.models import ENDS, create, half_billion, seedling
from tests.integration.daemon import Daemon

WINDOW = 1024
PROMPT_TOKENS = 8


@attrs.frozen
class Case:
    """A model, and how many tokens each stream has."""

    name: str
    path: Path
    tokens: int


def bare(case: Case, streams: int) -> float:
    """Generate with nothing but llama.cpp and a prepared batch."""
    work = Work(path=case.path, streams=streams, prompt=PROMPT_TOKENS, tokens=case.tokens)
    return best(work).rate


def through_http(daemon: Daemon, model: str, streams: int, tokens: int) -> float:
    """Generate through the daemon, with a client that does as little as it can.

    The time begins with the first frame of any stream, so the other streams' prompts are in it.
    """
    counted = 0
    first = 0.0
    with selectors.DefaultSelector() as selector:
        for seed in range(streams):
            selector.register(asked(daemon, model, seed, tokens), selectors.EVENT_READ, bytearray())
        while selector.get_map():
            for key, _ in selector.select():
                data = key.fileobj.recv(1 << 16)
                first = first or time.perf_counter()
                key.data.extend(data)
                if not data:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
                    counted += eval_count(bytes(key.data), tokens)
    return (counted - streams) / (time.perf_counter() - first)


def asked(daemon: Daemon, model: str, seed: int, tokens: int) -> socket.socket:
    """Ask for a stream; give the connection that it comes on."""
    parts = urlsplit(daemon.url)
    sock = socket.create_connection((parts.hostname, parts.port))
    sock.sendall(request(model, seed, tokens))
    return sock


def request(model: str, seed: int, tokens: int) -> bytes:
    """A raw request that closes its connection at the end."""
    prompt = " ".join("abcdefgh"[:PROMPT_TOKENS])
    options = {"seed": seed, "num_predict": tokens, "num_ctx": WINDOW, "logit_bias": ENDS}
    body = {"model": model, "prompt": prompt, "raw": True, "options": options}
    data = json.dumps(body).encode()
    head = f"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + data


def eval_count(answer: bytes, asked: int) -> int:
    """The tokens that the last frame counts: all that were asked for."""
    last = next(line for line in reversed(answer.splitlines()) if line.startswith(b"{"))
    frame = json.loads(last)
    assert frame.get("eval_count") == asked, frame
    return int(frame["eval_count"])


def measure(case: Case, streams: int, rounds: int, folder: Path) -> str:
    """One line of the report."""
    loops, ours = [], []
    daemon = Daemon(folder / f"{case.name}-{streams}", ACTORLLM_NUM_PARALLEL=str(streams)).wait()
    try:
        create(daemon, case.name, case.path)
        through_http(daemon, case.name, streams, 16)  # loads, and adapts the threads
        for _ in range(rounds):
            loops.append(bare(case, streams))
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
