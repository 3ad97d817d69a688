"""Models with two sets of frequencies compute in a shared pool what they compute alone."""

import random

import pytest

from actorllm.actors.runner.engine.opening import with_true_frequencies
from actorllm.actors.runner.engine.types import EngineSettings, Sampling, Work
from tests.engine.weights import make_long_rope

SHORT = 512
"""Tokens of context up to which the short frequencies are right."""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return make_long_rope(tmp_path_factory.mktemp("models") / "long-rope.gguf", SHORT)


def answer(host):
    chance = random.Random(7)
    prompt = tuple(chance.randrange(300, 1000) for _ in range(100))
    sampling = Sampling(temperature=0, logit_bias=((2, float("-inf")),))
    return host.run(Work(id=1, prompt=prompt, sampling=sampling, max_tokens=12))[1][0]


def test_the_frequencies_follow_from_what_a_slot_may_use_not_from_the_pool(path, make_host):
    answers = {}
    for window in (SHORT, 2 * SHORT):
        alone = make_host(path, num_ctx=window, slots=1, threads=1)
        pool = make_host(path, num_ctx=window, slots=3, unified=True, threads=1)
        answers[window] = answer(alone)
        assert answer(pool) == answers[window]
        assert pool.loaded.settings.unified == (window > SHORT)
        assert pool.loaded.settings.slots == 3
    assert answers[SHORT] != answers[2 * SHORT]


@pytest.mark.parametrize(
    ("window", "slots", "cells", "short", "unified", "left"),
    [
        (4096, 16, 16_384, 4096, False, 4),
        (4096, 2, 16_384, 4096, False, 2),
        (2048, 16, 0, 4096, False, 16),
        (4000, 16, 16_000, 4096, False, 3),
        (8192, 16, 32_768, 4096, True, 16),
        (4096, 16, 4096, 4096, True, 16),
        (4096, 1, 0, 4096, True, 1),
        (4096, 16, 16_384, None, True, 16),
    ],
)
def test_slots_get_cells_of_their_own_only_where_the_pool_would_be_taken_for_a_long_context(
    window, slots, cells, short, unified, left
):
    settings = EngineSettings(
        model_path="m", num_ctx=window, slots=slots, cells=cells, unified=True
    )
    made = with_true_frequencies(settings, short)
    assert (made.unified, made.slots) == (unified, left)
    assert made.unified or not made.cells


def test_separate_cells_stay_as_they_are():
    settings = EngineSettings(model_path="m", num_ctx=4096, slots=4)
    assert with_true_frequencies(settings, 4096) is settings
