"""Options of a request to the engine's sampling settings."""

import math

import attrs
import pytest

from actorllm.actors.runner.engine.types import Sampling
from actorllm.actors.runner.sampling import sampling_notices, sampling_of
from actorllm.protocol.errors import Refused
from actorllm.protocol.options import Options

VOCABULARY = 258
WANTED = {
    "seed": 5,
    "temperature": 0.1,
    "top_k": 3,
    "top_p": 0.4,
    "min_p": 0.05,
    "typical_p": 0.6,
    "repeat_last_n": 7,
    "repeat_penalty": 1.1,
    "presence_penalty": 0.2,
    "frequency_penalty": 0.3,
    "top_n_sigma": 1.5,
    "xtc_probability": 0.5,
    "xtc_threshold": 0.2,
    "dynatemp_range": 0.7,
    "dynatemp_exponent": 1.2,
    "dry_multiplier": 0.8,
    "dry_base": 2.0,
    "dry_allowed_length": 3,
    "dry_penalty_last_n": 100,
    "dry_sequence_breakers": ("\n", "é"),
    "mirostat": 2,
    "mirostat_tau": 4.0,
    "mirostat_eta": 0.2,
    "logit_bias": ((7, 1.5),),
}


def sampling(generate, request=None, **options) -> Sampling:
    return sampling_of(generate(options=options, **request or {}), VOCABULARY, None)


def test_options_reach_the_sampler(generate):
    made = sampling(generate, {"logprobs": True, "top_logprobs": 2}, **WANTED)
    assert {key: getattr(made, key) for key in WANTED} == WANTED
    assert (made.logprobs, made.top_logprobs) == (True, 2)
    told = {field.name for field in attrs.fields(Sampling)}
    assert told - set(WANTED) == {"logprobs", "top_logprobs", "structure"}


def test_defaults_of_options_and_sampler_agree(generate):
    breakers = Options().dry_sequence_breakers
    assert sampling(generate) == Sampling(seed=-1, dry_sequence_breakers=breakers)


def test_a_bias_of_minus_100_forbids_a_token(generate):
    biased = sampling(generate, logit_bias=((7, -100.0), (8, -99.0), (9, -1e9)))
    assert biased.logit_bias == ((7, -math.inf), (8, -99.0), (9, -math.inf))


def test_numbers_that_would_make_logits_infinite_are_those_that_just_do_not(generate):
    made = sampling(
        generate,
        repeat_penalty=1e-38,
        presence_penalty=-3.4e38,
        frequency_penalty=3.4e38,
        logit_bias=((7, 3.4e38),),
    )
    assert (made.repeat_penalty, made.presence_penalty) == (1e-20, -1e20)
    assert (made.frequency_penalty, made.logit_bias) == (1e20, ((7, 1e20),))
    off = sampling(generate, repeat_penalty=0.0)
    assert off.repeat_penalty == 0.0
    assert sampling(generate, repeat_penalty=-1e38).repeat_penalty <= 0


def test_n_probs_asks_for_logprobs(generate):
    made = sampling(generate, n_probs=3)
    assert (made.logprobs, made.top_logprobs) == (True, 3)
    assert sampling(generate, {"top_logprobs": 5}, n_probs=3).top_logprobs == 5
    assert sampling(generate, n_probs=10**9).top_logprobs == 20
    assert not sampling(generate, n_probs=-1).logprobs


def test_empty_breakers_are_left_out(generate):
    assert sampling(generate, dry_sequence_breakers=("", "a")).dry_sequence_breakers == ("a",)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"mirostat": 3}, "mirostat must be 0, 1 or 2"),
        ({"mirostat": -1}, "mirostat must be 0, 1 or 2"),
        (
            {"logit_bias": ((258, 1.0),)},
            "logit_bias has token 258, but the model's vocabulary ends at 257",
        ),
        (
            {"dry_sequence_breakers": ("a",) * 17},
            "dry_sequence_breakers may be 16 texts of 40 bytes each",
        ),
        (
            {"dry_sequence_breakers": ("é" * 21,)},
            "dry_sequence_breakers may be 16 texts of 40 bytes each",
        ),
        (
            {"dry_sequence_breakers": ("a\0b",)},
            "dry_sequence_breakers may not contain null characters",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(generate, options, text):
    with pytest.raises(Refused) as refused:
        sampling(generate, **options)
    assert (refused.value.problem.status, refused.value.problem.text) == (400, text)


def test_what_cannot_be_kept_to_is_told():
    def told(resumed=False, deterministic=False, **options):
        return sampling_notices(Options(**options), resumed=resumed, deterministic=deterministic)

    assert told(True, True) == ()
    assert told(n_probs=21) == ("n_probs 21 was cut to 20",)
    assert told(draft_num_predict=0) == ()
    assert "draft_num_predict had no effect" in told(draft_num_predict=4)[0]
    assert told(mirostat=1) == ()
    assert told(mirostat=1, deterministic=True) == (
        "with mirostat, the text after a runner's death may be another one",
    )
    assert told(mirostat=2, resumed=True, deterministic=True) == (
        "mirostat began anew when another runner took over",
    )
    assert told(mirostat=2, resumed=True, temperature=0.0) == ()
