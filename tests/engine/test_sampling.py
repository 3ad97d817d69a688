from collections import Counter

import attrs
import numpy as np
import pytest

from actorllm.actors.runner.engine.batching import Pass, Run
from actorllm.actors.runner.engine.logprobs import token_logprob
from actorllm.actors.runner.engine.opening import open_model
from actorllm.actors.runner.engine.seeds import position_seed
from actorllm.actors.runner.engine.types import EngineSettings, Sampling, Work

DRAWS = 2000


@pytest.fixture(scope="module")
def context(seedling):
    """Give a context with the logits of one prompt in row 3."""
    opened = open_model(EngineSettings(model_path=seedling, num_ctx=256, slots=1, threads=1))
    opened.context.decode(Pass("prefill", (Run(0, 0, (5, 6, 7, 8), output=True),), orderly=True))
    yield opened.context
    opened.free()


def draw(context, sampling, positions=range(DRAWS)):
    sampler = context.sampler(Work(id=1, prompt=(5, 6, 7, 8), sampling=sampling))
    tokens = [sampler.pick(3, position) for position in positions]
    sampler.close()
    return tokens


def probabilities(context, temperature=1.0):
    sampler = context.sampler(Work(id=1, prompt=(5,)))
    logits = sampler._shared.logits(3).astype(np.float64) / temperature
    sampler.close()
    exp = np.exp(logits - logits.max())
    return exp / exp.sum()


def test_seeds_of_positions_are_spread_over_32_bits():
    seeds = {position_seed(seed, position) for seed in range(20) for position in range(500)}
    assert len(seeds) > 9990
    assert all(0 <= seed < 2**32 - 1 for seed in seeds)
    assert position_seed(-1, 0) == position_seed(2**64 - 1, 0)


def test_draws_follow_the_probabilities(context):
    wide = Sampling(seed=3, temperature=1.0, top_k=0, top_p=1.0)
    counts = Counter(draw(context, wide))
    expected = probabilities(context)
    for token in np.argsort(expected)[-5:]:
        p = float(expected[token])
        assert counts[int(token)] / DRAWS == pytest.approx(p, abs=4 * (p / DRAWS) ** 0.5 + 0.002)


def test_a_draw_depends_on_seed_and_position_only(context):
    sampling = Sampling(seed=5, temperature=1.5, top_k=0, top_p=1.0)
    forward = draw(context, sampling, range(50))
    backward = draw(context, sampling, range(49, -1, -1))
    assert forward == backward[::-1]
    assert forward != draw(context, attrs.evolve(sampling, seed=6), range(50))


def test_temperature_zero_takes_the_likeliest_token(context):
    likeliest = int(np.argmax(probabilities(context)))
    for temperature in (0, -1.0, 1e-40):
        assert set(draw(context, Sampling(temperature=temperature), range(9))) == {likeliest}


@pytest.mark.parametrize(
    "narrow",
    [{"top_k": 3}, {"top_p": 0.3, "top_k": 0}, {"min_p": 0.3}, {"typical_p": 0.2}],
)
def test_narrowing_leaves_fewer_tokens(context, narrow):
    wide = Sampling(temperature=2.0, top_k=0, top_p=1.0)
    few = set(draw(context, attrs.evolve(wide, **narrow), range(300)))
    assert len(few) < len(set(draw(context, wide, range(300)))) / 2
    if narrow.get("top_k") == 3:
        assert few <= set(np.argsort(probabilities(context))[-3:].tolist())


def test_a_penalty_looks_back_no_further_than_asked(context):
    likeliest = int(np.argmax(probabilities(context)))
    work = Work(
        id=1,
        prompt=(likeliest, 9, 9, 9),
        sampling=Sampling(temperature=0, presence_penalty=100.0, repeat_last_n=3),
    )
    for last, same in ((3, True), (4, False), (-1, False), (0, True), (2**31 - 1, False)):
        sampling = attrs.evolve(work.sampling, repeat_last_n=last)
        sampler = context.sampler(attrs.evolve(work, sampling=sampling))
        assert (sampler.pick(3, 0) == likeliest) == same
        sampler.close()


def test_useless_penalties_are_taken_for_none(context):
    likeliest = int(np.argmax(probabilities(context)))
    for penalty in (0.0, -3.0, 1.0):
        assert draw(context, Sampling(temperature=0, repeat_penalty=penalty), [0]) == [likeliest]


def test_logprobs_are_normalised_over_the_vocabulary():
    logits = np.array([1.0, 3.0, 2.0, 3.0], np.float32)
    entry = token_logprob(logits, 0, 3, lambda token: bytes([token]))
    total = np.log(np.exp(logits.astype(np.float64)).sum())
    assert entry.chosen.logprob == pytest.approx(1 - total)
    assert [top.token for top in entry.top] == [1, 3, 2]
    assert entry.top[0].piece == b"\x01"
    assert token_logprob(logits, 1, 0, lambda _: b"").top == ()
    assert len(token_logprob(logits, 1, 99, lambda _: b"").top) == 4
