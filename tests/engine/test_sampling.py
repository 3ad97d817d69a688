import math
import random
from collections import Counter

import attrs
import numpy as np
import pytest

from actorllm.actors.runner.engine.batching import Pass, Run
from actorllm.actors.runner.engine.candidates import Candidates
from actorllm.actors.runner.engine.direct import MOST_TOKENS, DirectSampler, is_direct
from actorllm.actors.runner.engine.logprobs import token_logprob
from actorllm.actors.runner.engine.opening import open_model
from actorllm.actors.runner.engine.sampling import ChainSampler, make_sampler
from actorllm.actors.runner.engine.seeds import position_seed
from actorllm.actors.runner.engine.types import (
    EngineError,
    EngineSettings,
    Sampling,
    Structure,
    Work,
)

DRAWS = 2000


@pytest.fixture(scope="module")
def context(seedling):
    """Give a context with the logits of one prompt in row 3."""
    opened = open_model(EngineSettings(model_path=seedling, num_ctx=256, slots=1, threads=1))
    opened.context.decode(Pass("prefill", (Run(0, 0, (5, 6, 7, 8), output=True),)))
    yield opened.context
    opened.free()


def draw(context, sampling, positions=range(DRAWS)):
    sampler = context.sampler(Work(id=1, prompt=(5, 6, 7, 8), sampling=sampling))
    tokens = [sampler.pick(3, position) for position in positions]
    sampler.close()
    return tokens


def probabilities(context, temperature=1.0):
    logits = context._samplers.logits(3).astype(np.float64) / temperature
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


class Forbidding:
    """A structure of which only the vocabulary's mask matters."""

    def __init__(self, forbidden, size):
        self._allowed = np.ones(size, bool)
        self._allowed[forbidden] = False

    def allows(self, token):
        return bool(self._allowed[token])

    def allowed(self):
        return self._allowed

    def take(self, token):
        assert self.allows(token)


def test_what_a_structure_forbids_leaves_the_others_as_likely_as_without_it(context):
    expected = probabilities(context)
    forbidden = int(expected.argmax())
    expected[forbidden] = 0
    expected /= expected.sum()
    wide = Sampling(seed=4, temperature=1.0, top_k=0, top_p=1.0)
    sampler = ChainSampler(
        context._samplers, Work(id=1, prompt=(5, 6, 7, 8), sampling=wide), context.n_vocab
    )
    sampler._matcher = Forbidding(forbidden, len(expected))
    counts = Counter(sampler.pick(3, position) for position in range(DRAWS))
    sampler.close()
    for token in np.argsort(expected)[-5:]:
        p = float(expected[token])
        assert counts[int(token)] / DRAWS == pytest.approx(p, abs=4 * (p / DRAWS) ** 0.5 + 0.002)


def test_a_draw_depends_on_seed_and_position_only(context):
    sampling = Sampling(seed=5, temperature=1.5, top_k=0, top_p=1.0)
    forward = draw(context, sampling, range(50))
    backward = draw(context, sampling, range(49, -1, -1))
    assert forward == backward[::-1]
    assert forward != draw(context, attrs.evolve(sampling, seed=6), range(50))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"top_k": 0, "top_p": 1.0, "temperature": 1.5},
        {"min_p": 0.1, "typical_p": 0.7},
        {"top_k": 0, "typical_p": 0.7, "logit_bias": ((5, -math.inf), (9, -9999.0))},
        {"top_k": 0, "top_p": 1.0, "logit_bias": tuple((t, -math.inf) for t in range(0, 1000, 2))},
        {"logit_bias": ((5, 4.0), (9, -100.0)), "repeat_penalty": 1.3, "presence_penalty": 0.5},
    ],
)
def test_one_call_draws_what_the_steps_one_by_one_would(context, options):
    work = Work(id=1, prompt=(5, 6, 7, 8), sampling=Sampling(seed=9, **options))
    direct = make_sampler(context._samplers, work, 256)
    steps = ChainSampler(context._samplers, work, 256)
    assert isinstance(direct, DirectSampler)
    drawn = [(direct.pick(3, at), steps.pick(3, at)) for at in range(300)]
    direct.force(17)
    steps.force(17)
    drawn += [(direct.pick(3, at), steps.pick(3, at)) for at in range(300, 400)]
    direct.close()
    steps.close()
    assert len({token for token, _ in drawn}) > 1
    assert all(a == b for a, b in drawn)


@pytest.mark.parametrize(
    "unusual",
    [
        {"logit_bias": ((1, math.inf),)},
        {"logit_bias": tuple((token, -math.inf) for token in range(MOST_TOKENS))},
        {"repeat_penalty": 1e9},
        {"temperature": 3e38},
        {"mirostat": 1},
        {"xtc_probability": 0.1},
        {"dry_multiplier": 0.8},
        {"dynatemp_range": 0.5},
        {"top_n_sigma": 1.0},
        {"structure": Structure("schema", "{}")},
    ],
)
def test_what_might_leave_no_token_is_looked_at_step_by_step(unusual):
    assert is_direct(Sampling(), MOST_TOKENS)
    assert not is_direct(Sampling(), MOST_TOKENS + 1)
    assert not is_direct(Sampling(**unusual), MOST_TOKENS)


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


@pytest.mark.parametrize("bias", [0.0, -9999.0, -math.inf])
def test_typical_leaves_the_tokens_of_about_average_surprise(context, bias):
    p = probabilities(context)
    likeliest = int(p.argmax())
    if bias:
        p[likeliest] = 1e-300
        p /= p.sum()
    surprise = -np.log(p)
    order = np.argsort(np.abs(surprise - (p * surprise).sum()))
    count = int(np.searchsorted(p[order].cumsum(), 0.3)) + 1
    sampling = Sampling(
        temperature=1.0, top_k=0, top_p=1.0, typical_p=0.3, logit_bias=((likeliest, bias),)
    )
    few = draw(context, sampling)
    assert set(few) <= set(order[: count + 1].tolist())
    assert Counter(few).most_common(1)[0][0] in order[:count]


def test_top_n_sigma_leaves_what_is_near_the_best(context):
    logits = context._samplers.logits(3).copy()
    near = set(np.flatnonzero(logits >= logits.max() - 2 * logits.std()).tolist())
    wide = Sampling(temperature=5.0, top_k=0, top_p=1.0, top_n_sigma=2.0)
    few = set(draw(context, wide, range(500)))
    assert few <= near
    assert len(few) > 1
    narrow = attrs.evolve(wide, top_n_sigma=1e-6, typical_p=0.9)
    assert set(draw(context, narrow, range(20))) == {int(logits.argmax())}


def test_xtc_leaves_out_the_likeliest_tokens_as_often_as_asked(context):
    p = probabilities(context)
    above = np.flatnonzero(p >= 0.05)
    assert len(above) >= 2
    left_out = set(above.tolist()) - {int(above[p[above].argmin()])}
    sampling = Sampling(temperature=1.0, top_k=0, top_p=1.0, xtc_threshold=0.05)
    plain = draw(context, sampling)
    always = draw(context, attrs.evolve(sampling, xtc_probability=1.0))
    half = draw(context, attrs.evolve(sampling, xtc_probability=0.5))
    assert not left_out & set(always)
    same = sum(a == b for a, b in zip(half, plain, strict=True))
    changed = [b in left_out for b in plain]
    shares = sum(changed) / len(changed)
    assert same / DRAWS == pytest.approx(1 - shares / 2, abs=0.15)
    assert half == draw(context, attrs.evolve(sampling, xtc_probability=0.5))
    off = attrs.evolve(sampling, xtc_probability=1.0, xtc_threshold=0.6)
    assert draw(context, off, range(50)) == plain[:50]


def test_dynamic_temperature_follows_the_entropy(context):
    p = probabilities(context)
    base = Sampling(temperature=1.0, top_k=len(p), top_p=1.0)
    entropy = -(p * np.log(p)).sum() / np.log(len(p))
    same = attrs.evolve(base, temperature=float(2 * entropy))
    dynamic = attrs.evolve(base, dynatemp_range=1.0)
    pairs = zip(draw(context, dynamic), draw(context, same), strict=True)
    assert sum(a == b for a, b in pairs) > 0.99 * DRAWS  # but for the last bits of the temperature


def test_biases_are_added_and_can_forbid(context):
    logits = context._samplers.logits(3).copy()
    best, second = np.argsort(logits)[:-3:-1].tolist()
    greedy = Sampling(temperature=0)
    forbid = attrs.evolve(greedy, logit_bias=((best, -np.inf),))
    assert draw(context, forbid, [0]) == [second]
    lift = attrs.evolve(greedy, logit_bias=((17, 100.0), (9, -3.0)))
    assert draw(context, lift, [0]) == [17]
    none = tuple((token, -np.inf) for token in range(len(logits)))
    with pytest.raises(EngineError, match="leave no token"):
        draw(context, attrs.evolve(greedy, logit_bias=none), [0])


def test_dry_punishes_what_would_repeat_a_sequence(context):
    likeliest = int(np.argmax(probabilities(context)))
    dry = Sampling(temperature=0, dry_multiplier=100.0)

    def first(prompt, **changes):
        sampler = context.sampler(Work(id=1, prompt=prompt, sampling=attrs.evolve(dry, **changes)))
        token = sampler.pick(3, 0)
        sampler.close()
        return token

    repeated = (30, 31, 32, likeliest, 40, 30, 31, 32)
    assert first(repeated) != likeliest
    assert first(repeated, dry_multiplier=-100.0) == likeliest
    assert first(repeated, dry_allowed_length=4) == likeliest
    assert first(repeated, dry_penalty_last_n=4) == likeliest
    assert first((30, 50, likeliest, 40, 31, 51)) == likeliest
    breaker = context.vocab.piece(31).decode()
    assert first(repeated, dry_sequence_breakers=(breaker,)) == likeliest


@pytest.mark.parametrize("version", [1, 2])
def test_mirostat_keeps_the_surprise_near_its_aim(context, version):
    p = probabilities(context, temperature=2.0)

    def surprise(tokens):
        return float(-np.log2(p[tokens[100:]]).mean())

    wide = Sampling(temperature=2.0, top_k=0, top_p=1.0)
    low = Sampling(temperature=2.0, mirostat=version, mirostat_tau=0.5, seed=4)
    high = attrs.evolve(low, mirostat_tau=2.5)
    tokens = draw(context, low, range(400))
    assert surprise(tokens) < surprise(draw(context, high, range(400))) - 0.5
    assert surprise(tokens) < surprise(draw(context, wide, range(400))) - 1
    assert tokens == draw(context, low, range(400))
    assert tokens != draw(context, attrs.evolve(low, seed=5), range(400))


def test_no_number_breaks_the_samplers(context):
    """Whatever a client sends, it gets a token or a word, and the process lives."""
    dice = random.Random(7)
    values = (0.0, -1.0, 1e-40, 1e-6, 0.3, 1.0, 2.0, 1e9, 3e38, -3e38)
    counts = (-(2**63), -1, 0, 1, 5, 2**32 + 1, 2**63 - 1)
    for _ in range(300):
        wild = {
            field.name: dice.choice(values if field.type is float else counts)
            for field in attrs.fields(Sampling)
            if field.type in (int, float) and dice.random() < 0.4
        }
        wild["mirostat"] = dice.choice((0, 0, 1, 2))
        wild["logit_bias"] = ((3, dice.choice(values)),) * dice.randrange(2)
        try:
            draw(context, Sampling(**wild), range(2))
        except EngineError as e:
            assert "leave no token" in str(e)  # noqa: PT017


def test_a_narrow_look_finds_what_a_full_sort_finds():
    dice = np.random.default_rng(3)
    size = 100_013
    candidates = Candidates(size)
    for most in (1, 40, 77):
        logits = dice.standard_normal(size, np.float32).round(2)
        logits[dice.integers(0, size, 50)] = -np.inf
        also = np.unique(dice.integers(0, size, 30)).astype(np.int32)
        candidates.load(logits, most, also)
        loaded = candidates._left()["id"]
        wanted = np.flatnonzero(logits >= np.sort(logits)[-most - len(also)])
        assert set(wanted.tolist()) <= set(loaded.tolist())
        assert set(also[logits[also] > -np.inf].tolist()) <= set(loaded.tolist())
        assert np.isfinite(logits[loaded]).all()
        assert len(loaded) < 1000
        candidates.load(logits)
        assert len(candidates._left()) == np.isfinite(logits).sum()


def test_an_infinite_logit_is_certain():
    candidates = Candidates(5)
    candidates.load(np.array([1, 2, np.inf, 3, -np.inf], np.float32), 4)
    assert candidates.draw(None) == 2
    candidates.load(np.array([1, 2, 4, 3, np.nan], np.float32))
    candidates._data["logit"][1] = np.nan
    with pytest.raises(EngineError, match="leave no token"):
        candidates.draw(None)


def test_without_any_candidate_there_is_no_token():
    candidates = Candidates(5)
    candidates.load(np.full(5, -np.inf, np.float32), 2)
    for choose in (candidates.best, candidates.selected, lambda: candidates.draw(None)):
        with pytest.raises(EngineError, match="leave no token"):
            choose()


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
