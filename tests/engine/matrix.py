"""Deterministic answers of models with weights of many types, in a process of its own.

    python -m tests.engine.matrix FOLDER TYPE[+KV_TYPE]...

It prints, for each type, whether a work says the same beside 15 others, behind a cached prefix,
behind one that comes back from memory or from disk, and when it is resumed as it says alone. What it
says are its tokens and, to the last bit, their log probabilities: other sums show there long before a
token is another one. Kernels are chosen once per process: so it has its own.
"""

import json
import random
import sys
import tempfile
from pathlib import Path

from actorllm.actors.runner.engine.types import Archiving, Finish, Sampling, Work
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
        sampling=Sampling(
            seed=number, temperature=0.8, logit_bias=((2, float("-inf")),), logprobs=True
        ),
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


Said = tuple[tuple[int, float], ...]
"""Tokens with their log probabilities."""


def say(host: Host, *works: Work) -> tuple[dict[int, Said], dict[int, Finish]]:
    """Run works; what each said, and how it ended."""
    for work in works:
        host.engine.submit(work)
    said: dict[int, Said] = {work.id: () for work in works}
    ends: dict[int, Finish] = {}
    while len(ends) < len(works):
        delta = host.deltas.get(timeout=60)
        said[delta.id] += tuple((p.chosen.token, p.chosen.logprob) for p in delta.logprobs)
        if delta.finish is not None:
            ends[delta.id] = delta.finish
    return said, ends


def say_all(host: Host, *others: Work) -> tuple[dict[int, Said], dict[int, Finish]]:
    """Run the works, with some others before and behind them; what they said."""
    half = len(others) // 2
    works = [make_work(number) for number in PROMPTS]
    said, ends = say(host, *others[:half], *works, *others[half:])
    return {number: said[number] for number in PROMPTS}, ends


def compare(path: str, **settings) -> dict[str, object]:
    """Run the works in each of the situations."""
    settings = {"num_ctx": 1024, "threads": 1, "deterministic": True, **settings}
    host = Host(path, slots=1, **settings)
    alone, sure = {}, []
    for number in PROMPTS:
        said, ends = say(host, make_work(number))
        alone |= said
        assert len(alone[number]) == LENGTH
        sure.append(ends[number].deterministic)
    host.engine.close()
    host = Host(path, slots=OTHERS + 1, **settings)
    result: dict[str, object] = {"promised": all(sure) and host.loaded.deterministic}
    result["among others"] = say_all(host, *make_others())[0] == alone
    said, ends = say_all(host)
    assert sum(ends[number].cached_tokens for number in PROMPTS) > 100
    result["behind a cached prefix"] = said == alone
    host.engine.close()
    host = Host(path, slots=OTHERS + 1, **settings)
    result["resumed"] = _resumed(host, alone)
    host.engine.close()
    return result | _restored(path, settings, alone)


def _resumed(host: Host, alone: dict[int, Said]) -> bool:
    cuts = {number: 3 * number for number in PROMPTS}
    works = [make_work(n, tuple(token for token, _ in alone[n][: cuts[n]])) for n in PROMPTS]
    said, _ = say(host, *works, *make_others())
    return all(said[number] == alone[number][cuts[number] :] for number in PROMPTS)


def _restored(path: str, settings, alone: dict[int, Said]) -> dict[str, object]:
    """Take the slot from each work, so that its prompt has to come back."""

    def one_by_one(host: Host) -> dict[int, Said]:
        return {number: say(host, make_work(number))[0][number] for number in PROMPTS}

    result: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        archive = Archiving(folder=folder, key="matrix", quota=1 << 26)
        more = {"slots": 1, "saved_bytes": 1 << 26, "archive": archive}
        host = Host(path, **settings, **more)
        one_by_one(host)
        result["restored from memory"] = one_by_one(host) == alone
        assert host.engine.stats().restored
        host.engine.close()
        host = Host(path, **settings, **more)
        result["restored from disk"] = one_by_one(host) == alone
        assert host.engine.stats().restored
        host.engine.close()
    return result


def main() -> None:
    folder, *kinds = sys.argv[1:]
    for kind in kinds:
        name, _, kv_type = kind.partition("+")
        more = {"kv_type": kv_type} if kv_type else {}
        path = make_model(Path(folder) / f"{name}.gguf", name)
        sys.stdout.write(f"MATRIX {json.dumps({'kind': kind, **compare(path, **more)})}\n")


if __name__ == "__main__":
    main()
