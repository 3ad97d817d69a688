import pytest

from actorllm.actors.runner.engine.embed import pack
from actorllm.actors.runner.engine.types import EngineError, Work

GOLDEN = {
    "why is the sky blue": [
        -0.347637,
        -0.27896202,
        0.10682581,
        -0.2040671,
        -0.5512244,
        -0.050552435,
        0.013091132,
        -0.041633565,
        -0.06211064,
        0.20871466,
        0.08422388,
        0.2045065,
        0.39654347,
        -0.006734017,
        0.11217963,
        0.41683614,
    ],
    "hello world": [
        -0.30254585,
        -0.21036696,
        -0.01935395,
        -0.17080328,
        -0.6135068,
        0.21800543,
        0.023668528,
        -0.12478962,
        -0.15142222,
        0.31653586,
        0.120722346,
        0.11679826,
        0.3090264,
        0.0032779046,
        0.119345844,
        0.36540812,
    ],
}
"""Recorded from Ollama 0.33 on the same file."""


@pytest.fixture
def host(make_host, tiny_bert):
    return make_host(tiny_bert, embedding=True, threads=1)


def tokens(host, text):
    return host.engine.tokenize(text, add_special=True, parse_special=False)


def test_the_model_says_that_it_embeds(host):
    loaded = host.loaded
    assert (loaded.can_embed, loaded.pooling, loaded.n_embd, loaded.n_ctx) == (True, "mean", 16, 32)


def test_a_batch_gives_what_single_inputs_give(host):
    inputs = [tokens(host, text) for text in ("hello world", "a", "one two three", "b") * 3]
    batch = host.engine.embed(inputs)
    for one, vector in zip(inputs, batch, strict=True):
        assert host.engine.embed([one])[0] == pytest.approx(vector, abs=1e-5)
    assert len({vector[0] for vector in batch[:4]}) == 4


def test_vectors_have_length_one_if_asked_for(host):
    one = [tokens(host, "hello")]
    plain, unit = host.engine.embed(one, normalize=False)[0], host.engine.embed(one)[0]
    norm = sum(value * value for value in plain) ** 0.5
    assert sum(value * value for value in unit) == pytest.approx(1, abs=1e-5)
    assert [value / norm for value in plain] == pytest.approx(list(unit), abs=1e-6)


def test_vectors_are_those_of_the_reference(host):
    for text, vector in GOLDEN.items():
        assert host.engine.embed([tokens(host, text)])[0] == pytest.approx(vector, abs=1e-4)


def test_no_inputs_give_no_vectors(host):
    assert host.engine.embed([]) == ()


def test_an_input_that_does_not_fit_is_refused(host):
    with pytest.raises(EngineError, match="33 tokens, but at most 32 fit"):
        host.engine.embed([[5] * 33])
    with pytest.raises(EngineError, match="no tokens"):
        host.engine.embed([[]])
    assert host.engine.embed([[5] * 32])


def test_an_embedding_engine_does_not_generate(host):
    with pytest.raises(EngineError, match="does not support generate"):
        host.engine.submit(Work(id=1, prompt=(5,)))
    with pytest.raises(EngineError, match="does not support generate"):
        host.engine.stats()


def test_a_closed_engine_refuses_to_embed(host):
    host.engine.close()
    with pytest.raises(EngineError, match="not running"):
        host.engine.embed([[5]])


def test_a_model_that_is_not_made_for_it_cannot_embed(seedling, make_host):
    with pytest.raises(EngineError, match="does not support embeddings"):
        make_host(seedling, embedding=True)


def test_inputs_are_packed_in_order_within_rows_and_sequences():
    assert list(pack([3, 3, 3, 9, 1, 1], rows=9, sequences=2)) == [(0, 2), (2, 3), (3, 4), (4, 6)]
    assert list(pack([], rows=9, sequences=2)) == []
    assert list(pack([9], rows=9, sequences=2)) == [(0, 1)]
