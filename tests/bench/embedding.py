# ruff: noqa: T201 -- a script that prints
"""Vectors of 64 short texts in shared batches, over one text after the other.

    python -m tests.bench.embedding [ROUNDS]

Both are taken in turns, in one engine. The model is a random one in the shape of all-MiniLM-L6:
one request with all texts, as many requests as texts at once, and each text alone.
"""

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf

from actorllm.actors.runner.engine.engine import Engine
from actorllm.actors.runner.engine.types import EngineSettings
from tests.bench.machine import describe
from tests.engine.berts import PLAIN, Bert, write

TEXTS = 64
SHAPE = Bert(
    pooling=gguf.PoolingType.MEAN,
    width=384,
    inner=1536,
    heads=12,
    layers=6,
    context=512,
    scale=0.05,
)


def texts() -> list[str]:
    """Short texts, always the same."""
    dice = random.Random(1)
    return [" ".join(dice.choices(PLAIN, k=dice.randint(3, 8))) for _ in range(TEXTS)]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    made = work()
    return time.perf_counter() - began, made


def cosine(one: Any, other: Any) -> float:
    return float(sum(a * b for a, b in zip(one, other, strict=True)))


def main(rounds: int = 7) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "minilm.gguf"
        write(path, SHAPE)
        settings = EngineSettings(model_path=str(path), num_ctx=512, slots=32, embedding=True)
        engine = Engine(settings, lambda _: None)
        engine.load()
        inputs = [engine.tokenize(t, add_special=True, parse_special=False) for t in texts()]
        engine.embed(inputs).result()
        ratios: dict[str, list[float]] = {"one request": [], "many requests": []}
        seconds, least = [], 1.0
        for _ in range(rounds):
            serial, alone = timed(lambda: [engine.embed([i]).result()[0] for i in inputs])
            whole, one = timed(lambda: engine.embed(inputs).result())
            spread, many = timed(
                lambda: [f.result()[0] for f in [engine.embed([i]) for i in inputs]]
            )
            seconds.append(serial)
            ratios["one request"].append(serial / whole)
            ratios["many requests"].append(serial / spread)
            least = min(least, *map(cosine, alone, one), *map(cosine, alone, many))
        engine.close()
    print(describe())
    print(
        f"{TEXTS} texts, {sum(map(len, inputs))} tokens, one after the other: {min(seconds):.2f} s"
    )
    for name, found in ratios.items():
        print(f"{name}: {statistics.median(found):.1f} times as fast (best round {max(found):.1f})")
    print(f"least cosine to the serial vectors: {least:.6f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
