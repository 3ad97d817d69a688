"""Prefixes on a real model: shared by slots, put aside, kept on disk; the text stays the same."""

import random

import pytest

from actorllm.actors.runner.engine.types import Archiving, Sampling, Work

LENGTH = 16
LONG_KNOWN = 300 - 64
"""Tokens of a prompt of 300 that a deterministic work need not compute again."""
HOT = Sampling(seed=3, temperature=1.5, top_k=0, top_p=1.0)


def make_prompt(number, length=300):
    chance = random.Random(number)
    return tuple(chance.randrange(10, 2000) for _ in range(length))


def make_work(number, prompt, **changes):
    options = {"sampling": HOT, "max_tokens": LENGTH, **changes}
    return Work(id=number, prompt=prompt, **options)


@pytest.fixture
def archive(tmp_path):
    return Archiving(folder=str(tmp_path / "kv"), key="seedling", quota=1 << 30)


def test_a_burst_in_a_shared_pool_computes_its_beginning_once(seedling, make_host):
    host = make_host(seedling, num_ctx=512, slots=16, unified=True, cells=1024, threads=1)
    system = make_prompt(0)
    works = [make_work(n, system + make_prompt(n, 10), max_tokens=4) for n in range(1, 17)]
    done = host.run(*works)
    assert [done[n][2].cached_tokens for n in range(1, 17)] == [0, *[300] * 15]
    assert host.engine.stats().prompt_tokens == 300 + 16 * 10
    assert host.engine.stats().cells_used <= 300 + 16 * (10 + 3)


def test_windows_of_a_shared_pool_shift_without_touching_each_other(seedling, make_host):
    greedy = Sampling(temperature=0)
    prompt = make_prompt(1, 200)
    options = {"sampling": greedy, "max_tokens": 120, "num_keep": 100}
    alone = make_host(seedling, num_ctx=256, slots=1, unified=True, threads=1)
    one = alone.run(make_work(1, prompt, **options))[1]
    host = make_host(seedling, num_ctx=256, slots=4, unified=True, cells=1024, threads=1)
    done = host.run(*(make_work(n, prompt, **options) for n in range(4)))
    assert one[2].discarded_tokens == done[0][2].discarded_tokens
    assert all(len(done[n][0]) == len(one[0]) for n in range(4))


@pytest.mark.parametrize("unified", [False, True])
def test_a_prefix_comes_back_from_memory_with_the_same_text(seedling, make_host, unified):
    host = make_host(
        seedling, num_ctx=512, slots=1, threads=1, unified=unified, saved_bytes=1 << 26
    )
    options = {
        "deterministic": not unified,
        "sampling": HOT if not unified else Sampling(temperature=0),
    }
    runs = [
        host.run(make_work(i, make_prompt(n), **options))[i] for i, n in enumerate((1, 2, 1, 2))
    ]
    known = 299 if unified else LONG_KNOWN
    assert [finish.cached_tokens for _, _, finish in runs] == [0, 0, known, known]
    assert runs[0][0] == runs[2][0]
    assert runs[1][0] == runs[3][0]
    assert host.engine.stats().restored == 2


@pytest.mark.parametrize("kv_type", ["f16", "q8_0"])
def test_a_deterministic_text_is_the_same_after_a_load_from_disk(
    seedling, make_host, archive, kv_type
):
    settings = {"num_ctx": 512, "slots": 2, "threads": 1, "archive": archive, "kv_type": kv_type}
    first = make_host(seedling, saved_bytes=1 << 26, **settings)
    work = make_work(1, make_prompt(1), deterministic=True)
    tokens, _, finish = first.run(work)[1]
    first.engine.close()
    second = make_host(seedling, saved_bytes=1 << 26, **settings)
    again = second.run(work)[1]
    assert (finish.cached_tokens, again[2].cached_tokens) == (0, LONG_KNOWN)
    assert again[0] == tokens
    assert again[2].deterministic
    assert second.engine.stats().restored == 1


@pytest.mark.parametrize("unified", [False, True])
def test_what_two_slots_share_is_kept_on_disk(seedling, make_host, archive, unified):
    settings = {"num_ctx": 512, "slots": 2, "threads": 1, "unified": unified, "archive": archive}
    first = make_host(seedling, saved_bytes=1 << 26, **settings)
    works = [make_work(n, make_prompt(1), sampling=Sampling(temperature=0)) for n in (1, 2)]
    tokens = first.run(*works)[1][0]
    assert sum(slot.cells > 300 for slot in first.engine.stats().slots) == 2
    first.engine.close()
    second = make_host(seedling, saved_bytes=1 << 26, **settings)
    again, _, finish = second.run(works[0])[1]
    assert finish.cached_tokens == 299
    assert again == tokens


def test_a_conversation_that_goes_on_has_one_file(seedling, make_host, archive, tmp_path):
    settings = {"num_ctx": 512, "slots": 2, "threads": 1, "archive": archive}
    talk = make_prompt(1)
    for number in range(2):
        host = make_host(seedling, saved_bytes=1 << 26, **settings)
        talk += host.run(make_work(number, talk))[number][0] + make_prompt(2, 100)
        host.engine.close()
        assert len(list((tmp_path / "kv").iterdir())) == 1


def test_other_settings_do_not_take_a_state_for_theirs(seedling, make_host, archive):
    settings = {"num_ctx": 512, "slots": 2, "threads": 1, "saved_bytes": 1 << 26}
    work = make_work(1, make_prompt(1))
    first = make_host(seedling, archive=archive, **settings)
    first.run(work)
    first.engine.close()
    for change in ({"kv_type": "q8_0"}, {"unified": True}, {"num_ctx": 256}):
        other = make_host(seedling, archive=archive, **(settings | change))
        cached = other.run(make_work(1, make_prompt(1)[:200]))[1][2].cached_tokens
        assert cached == 0, change
