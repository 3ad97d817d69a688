"""Deterministic answers of models with weights of many types, in a process of its own.

    python -m tests.engine.matrix FOLDER TYPE[+KV_TYPE]...

It prints, for each type, whether a work says the same beside 15 others, behind a cached prefix,
behind one that comes back from memory or from disk, and when it is resumed as it says alone. Kernels
are chosen once per process: so it has its own.
"""

import json
import random
import sys
import tempfile
from pathlib import Path

from actorllm.actors.runner.engine.types import Archiving, Sampling, Work
from tests.engine.conftest import Host
from tests.engine.weights import make_model

LENGTH = 16
PROMPTS = {1: 7, 2: 70, 3: 200, 4: 600}
"""Tokens in the prompt of each work."""
OTHERS = 15
FIRST = 300
"""Tokens from here on are words."""


def make_prompt(number: int, length: int) -> tuple[int, ...]:
    chance = random.Random(number)
    return tuple(chance.randrange(FIRST, 1000) for _ in range(length))


def make_work(number: int, resume: tuple[int, ...] = ()) -> Work:
    return Work(
        id=number,
        prompt=make_prompt(number, PROMPTS[number]),
        resume=resume,
        sampling=Sampling(seed=number, temperature=0.8, logit_bias=((2, float("-inf")),)),
        max_tokens=LENGTH,
    )


def make_others() -> list[Work]:
    chance = random.Random(5)
    return [
        Work(
            id=100 + i,
            prompt=make_prompt(100 + i, chance.randrange(2, 150)),
            sampling=Sampling(seed=i, logit_bias=((2, float("-inf")),)),
            max_tokens=chance.randrange(8, 32),
        )
        for i in range(OTHERS)
    ]


def compare(path: str, **settings) -> dict[str, object]:
    """Run the works in each of the situations."""
    settings = {"num_ctx": 1024, "threads": 1, "deterministic": True, **settings}
    host = Host(path, slots=1, **settings)
    alone, sure = {}, []
    for number in PROMPTS:
        alone[number], _, finish = host.run(make_work(number))[number]
        assert len(alone[number]) == LENGTH
        sure.append(finish.deterministic)
    host.engine.close()
    host = Host(path, slots=OTHERS + 1, **settings)
    works = [make_work(number) for number in PROMPTS]
    result: dict[str, object] = {"promised": all(sure) and host.loaded.deterministic}
    result["among others"] = (
        _tokens(host.run(*make_others()[:8], *works, *make_others()[8:])) == alone
    )
    done = host.run(*works)
    assert sum(done[number][2].cached_tokens for number in PROMPTS) > 100
    result["behind a cached prefix"] = _tokens(done) == alone
    host.engine.close()
    host = Host(path, slots=OTHERS + 1, **settings)
    cuts = {number: tokens[: 3 * number] for number, tokens in alone.items()}
    done = host.run(*(make_work(n, cuts[n]) for n in PROMPTS), *make_others())
    result["resumed"] = {n: cuts[n] + t for n, t in _tokens(done).items()} == alone
    host.engine.close()
    return result | _restored(path, settings, alone)


def _restored(path: str, settings, alone) -> dict[str, object]:
    """Take the slot from each work, so that its prompt has to come back."""

    def run_one_by_one(host: Host) -> dict[int, tuple[int, ...]]:
        return {number: host.run(make_work(number))[number][0] for number in PROMPTS}

    result: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        archive = Archiving(folder=folder, key="matrix", quota=1 << 26)
        more = {"slots": 1, "saved_bytes": 1 << 26, "archive": archive}
        host = Host(path, **settings, **more)
        run_one_by_one(host)
        result["restored from memory"] = run_one_by_one(host) == alone
        assert host.engine.stats().restored
        host.engine.close()
        host = Host(path, **settings, **more)
        result["restored from disk"] = run_one_by_one(host) == alone
        assert host.engine.stats().restored
        host.engine.close()
    return result


def _tokens(done) -> dict[int, tuple[int, ...]]:
    return {number: done[number][0] for number in PROMPTS}


def main() -> None:
    folder, *kinds = sys.argv[1:]
    for kind in kinds:
        name, _, kv_type = kind.partition("+")
        more = {"kv_type": kv_type} if kv_type else {}
        path = make_model(Path(folder) / f"{name}.gguf", name)
        sys.stdout.write(f"MATRIX {json.dumps({'kind': kind, **compare(path, **more)})}\n")


if __name__ == "__main__":
    main()
