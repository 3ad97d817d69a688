import numpy as np
import pytest
from gguf import GGUFWriter

from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.jsonfile import Section
from actorllm.actors.builder.convert.rope import (
    add_rope,
    llama3_factors,
    longrope_attention,
    rope_of,
)

LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}  # fmt: skip


def read(**values):
    return rope_of(Section(values, "config.json"))


def written(**values):
    gguf, notices = GGUFWriter(None, "llama"), []
    add_rope(gguf, read(**values), 4096, notices)
    prefix = "llama.rope."
    found = {key: value.value for key, value in gguf.kv_data[0].items() if key.startswith(prefix)}
    return {key.removeprefix(prefix): value for key, value in found.items()}, notices


def test_old_and_new_words_mean_the_same():
    scaling = {"rope_type": "linear", "factor": 2.0}
    old = written(rope_theta=5e5, rope_scaling=scaling)
    new = written(rope_parameters={**scaling, "rope_theta": 5e5})
    assert old == new == (
        {"freq_base": 5e5, "scaling.type": "linear", "scaling.factor": 2.0}, []
    )  # fmt: skip
    assert written()[0] == {"freq_base": 10_000.0}
    assert written(rope_scaling={"type": "linear", "factor": 2.0})[0]["scaling.type"] == "linear"


def test_layers_with_a_window_may_have_their_own_base():
    expected = {"freq_base": 1e6, "freq_base_swa": 1e4}
    assert written(rope_theta=1e6, rope_local_base_freq=1e4)[0] == expected
    both = {"full_attention": {"rope_theta": 1e6}, "sliding_attention": {"rope_theta": 1e4}}
    assert written(rope_parameters=both)[0] == expected


def test_yarn_says_from_which_context_it_stretches():
    found, _ = written(rope_scaling={"rope_type": "yarn", "factor": 4.0, "beta_fast": 16})
    assert found["scaling.original_context_length"] == 1024
    assert found["scaling.yarn_beta_fast"] == 16.0
    found, _ = written(
        rope_scaling={
            "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512,
            "attention_factor": 2.0,
        }
    )  # fmt: skip
    assert found["scaling.original_context_length"] == 512
    assert found["scaling.attn_factor"] == pytest.approx(2.0 / (0.1 * np.log(4.0) + 1))


def test_llama3_divides_low_frequencies_only():
    factors = llama3_factors(read(rope_theta=5e5, rope_scaling=LLAMA3), 128)
    assert factors.shape == (64,)
    assert factors[0] == 1.0
    assert factors[-1] == 8.0
    assert np.all(np.diff(factors) >= 0)
    assert llama3_factors(read(), 128) is None


def test_attention_grows_with_the_stretch():
    assert longrope_attention(4096, 4096) == 1.0
    assert longrope_attention(131_072, 4096) == pytest.approx(1.1902, abs=1e-4)


def test_what_is_not_done_is_said_or_refused():
    assert written(rope_scaling={"rope_type": "dynamic", "factor": 2.0})[1]
    for values in (
        {"rope_scaling": {"rope_type": "proportional"}},
        {"rope_scaling": {"rope_type": "linear"}},
        {"rope_scaling": {"rope_type": "linear", "factor": "2"}},
        {"rope_scaling": {"rope_type": "yarn", "factor": 0.5}},
        {"rope_scaling": 5},
        {"rope_theta": 1e40},
        {"rope_theta": float("nan")},
    ):
        with pytest.raises(ConvertError, match=r"config\.json"):
            written(**values)
    with pytest.raises(ConvertError, match="make no sense"):
        llama3_factors(read(rope_scaling=LLAMA3 | {"high_freq_factor": 1.0}), 128)
