"""Deterministic works give the same tokens whatever runs beside or before them."""

import random

import attrs
import pytest

from actorllm.actors.runner.engine.types import Sampling, Structure, Work

LENGTH = 50
ENDLESS = Structure("gbnf", "root ::= [^#] root")
"""It has no end, so that every work runs to its last token."""
PROMPTS = {1: 7, 2: 70, 3: 250, 4: 600}
"""Tokens in the prompt of each work; the last one's window overflows while it generates."""


def make_prompt(number: int, length: int) -> tuple[int, ...]:
    chance = random.Random(number)
    return tuple(chance.randrange(10, 2000) for _ in range(length))


def make_work(number: int, resume=()) -> Work:
    return Work(
        id=number,
        prompt=make_prompt(number, PROMPTS[number]),
        resume=tuple(resume),
        sampling=Sampling(seed=number, temperature=0.8, structure=ENDLESS),
        max_tokens=LENGTH,
        deterministic=True,
    )


def make_others(chance: random.Random) -> list[Work]:
    return [
        Work(
            id=100 + i,
            prompt=make_prompt(100 + i, chance.randrange(2, 300)),
            sampling=Sampling(seed=i),
            max_tokens=chance.randrange(3, 60),
        )
        for i in range(6)
    ]


def tokens_of(done, numbers=PROMPTS):
    return {number: done[number][0] for number in numbers}


@pytest.fixture(scope="module")
def alone(make_module_host):
    """Run each work alone, on an engine with one slot and one thread."""
    host = make_module_host(slots=1, threads=1)
    assert host.loaded.deterministic
    tokens = {}
    for number in PROMPTS:
        tokens[number], _, finish = host.run(make_work(number))[number]
        assert len(tokens[number]) == LENGTH
        assert finish.deterministic
        assert (finish.discarded_tokens > 0) == (number == 4)
    return tokens


@pytest.mark.parametrize("seed", [1, 2])
def test_tokens_are_the_same_among_others(alone, make_module_host, seed):
    chance = random.Random(seed)
    host = make_module_host(slots=6, threads=1)
    works = [make_work(number) for number in PROMPTS] + make_others(chance)
    chance.shuffle(works)
    assert tokens_of(host.run(*works)) == alone


def test_tokens_are_the_same_behind_a_cached_prefix(alone, make_module_host):
    host = make_module_host(slots=4, threads=1)
    works = [make_work(number) for number in PROMPTS]
    host.run(*works)
    done = host.run(*works)
    assert tokens_of(done) == alone
    assert sum(finish.cached_tokens for _, _, finish in done.values()) > 200


def test_tokens_are_the_same_after_disorderly_works_with_the_same_prompts(alone, make_module_host):
    host = make_module_host(slots=4, threads=1)
    host.run(*(Work(id=n, prompt=make_prompt(n, PROMPTS[n]), max_tokens=2) for n in PROMPTS))
    done = host.run(*(make_work(number) for number in PROMPTS))
    assert tokens_of(done) == alone


@pytest.mark.parametrize("seed", [1, 2])
def test_tokens_are_the_same_when_resumed_elsewhere(alone, make_module_host, seed):
    chance = random.Random(seed)
    host = make_module_host(slots=4, threads=1)
    cuts = {number: chance.randrange(LENGTH) for number in PROMPTS}
    works = [make_work(number, alone[number][: cuts[number]]) for number in PROMPTS]
    done = host.run(*works, *make_others(chance))
    assert {n: alone[n][: cuts[n]] + done[n][0] for n in PROMPTS} == alone
    assert all(done[n][2].generated_tokens == LENGTH for n in PROMPTS)


def test_tokens_are_the_same_behind_cells_copied_from_a_running_slot(alone, make_module_host):
    host = make_module_host(slots=3, threads=1)
    works = [attrs.evolve(make_work(3), id=number) for number in (1, 2, 3)]
    done = host.run(*works)
    assert [done[number][2].cached_tokens for number in (1, 2, 3)] == [0, 250 - 64, 250 - 64]
    assert all(done[number][0] == alone[3] for number in (1, 2, 3))


def test_a_settings_wide_promise_holds_without_asking(alone, make_module_host):
    host = make_module_host(slots=2, threads=1, deterministic=True)
    work = attrs.evolve(make_work(3), deterministic=False)
    done = host.run(work, attrs.evolve(make_work(2), deterministic=False))
    assert tokens_of(done, (2, 3)) == {n: alone[n] for n in (2, 3)}


def test_without_flash_attention_nothing_is_promised(make_module_host):
    host = make_module_host(slots=2, threads=1, flash_attention="off")
    assert not host.loaded.deterministic
    assert host.loaded.why_not_deterministic == "flash attention is off"
    assert not host.run(make_work(1))[1][2].deterministic
