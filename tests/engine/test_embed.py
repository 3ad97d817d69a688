import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.actors.runner.engine.embed import share
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
    return make_host(tiny_bert, embedding=True, threads=1, slots=16)


def embed(host, inputs, **how):
    return host.engine.embed(inputs, **how).result()


def tokens(host, text):
    return host.engine.tokenize(text, add_special=True, parse_special=False)


def test_the_model_says_that_it_embeds(host):
    loaded = host.loaded
    assert (loaded.can_embed, loaded.pooling, loaded.n_embd, loaded.n_ctx) == (True, "mean", 16, 32)


def test_a_batch_gives_what_single_inputs_give(host):
    inputs = [tokens(host, text) for text in ("hello world", "a", "one two three", "b") * 3]
    batch = embed(host, inputs)
    for one, vector in zip(inputs, batch, strict=True):
        assert cosine(embed(host, [one])[0], vector) > 0.9999
    assert len({vector[0] for vector in batch[:4]}) == 4


def test_vectors_have_length_one_if_asked_for(host):
    one = [tokens(host, "hello")]
    plain, unit = embed(host, one, normalize=False)[0], embed(host, one)[0]
    norm = sum(value * value for value in plain) ** 0.5
    assert sum(value * value for value in unit) == pytest.approx(1, abs=1e-5)
    assert [value / norm for value in plain] == pytest.approx(list(unit), abs=1e-6)


def test_vectors_are_those_of_the_reference(host):
    for text, vector in GOLDEN.items():
        assert embed(host, [tokens(host, text)])[0] == pytest.approx(vector, abs=1e-4)


def test_no_inputs_give_no_vectors(host):
    assert embed(host, []) == ()


def test_an_input_that_does_not_fit_is_refused(host):
    with pytest.raises(EngineError, match="33 tokens, but at most 32 fit"):
        host.engine.embed([[5] * 33])
    with pytest.raises(EngineError, match="no tokens"):
        host.engine.embed([[]])
    assert embed(host, [[5] * 32])


def test_an_embedding_engine_does_not_generate(host):
    with pytest.raises(EngineError, match="does not support generate"):
        host.engine.submit(Work(id=1, prompt=(5,)))


def test_batches_are_counted_and_one_that_is_computed_is_seen(host, monkeypatch):
    """So that the watch can tell an engine that hangs from one that rests."""
    embedder = host.engine._opened.embedder
    before = host.engine.stats()
    assert [slot.phase for slot in before.slots] == ["idle"]
    begun, go_on, decode = threading.Event(), threading.Event(), embedder._decode

    def slowly(inputs):
        begun.set()
        assert go_on.wait(30)
        decode(inputs)

    monkeypatch.setattr(embedder, "_decode", slowly)
    result = host.engine.embed([[5, 6], [7]])
    assert begun.wait(30)
    during = host.engine.stats()
    go_on.set()
    result.result(30)
    after = host.engine.stats()
    assert [slot.phase for slot in during.slots] == ["prefill"]
    assert (during.passes, during.prompt_tokens) == (before.passes, before.prompt_tokens)
    assert (after.passes, after.prompt_tokens) == (before.passes + 1, before.prompt_tokens + 3)
    assert after.last_pass_seconds > 0


def test_a_closed_engine_refuses_to_embed(host):
    host.engine.close()
    with pytest.raises(EngineError, match="not running"):
        embed(host, [[5]])


def test_a_model_that_is_not_made_for_it_cannot_embed(seedling, make_host):
    with pytest.raises(EngineError, match="does not support embeddings"):
        make_host(seedling, embedding=True)


def test_a_batch_is_shared_one_input_of_each_request_in_turn():
    assert share([[1, 1, 1], [1], [1, 1]], rows=9, sequences=4) == (2, 1, 1)
    assert share([[1] * 100, [1]], rows=9, sequences=50) == (8, 1)
    assert share([[5, 5], [2]], rows=8, sequences=9) == (1, 1)
    assert share([], rows=9, sequences=2) == ()


@given(
    st.lists(st.lists(st.integers(1, 9), max_size=6), max_size=6),
    st.integers(9, 30),
    st.integers(1, 8),
)
def test_a_batch_holds_what_fits_and_never_nothing(waiting, rows, sequences):
    counts = share(waiting, rows=rows, sequences=sequences)
    taken = [lengths[:count] for lengths, count in zip(waiting, counts, strict=True)]
    assert sum(map(sum, taken)) <= rows
    assert sum(counts) <= sequences
    assert any(counts) == any(waiting)


def test_requests_that_wait_share_batches_and_one_that_was_given_up_is_left_out(host):
    inputs = [tokens(host, text) for text in ("hello world", "a", "one two three", "b")]
    alone = [embed(host, [one])[0] for one in inputs]
    gate = threading.Event()
    host.engine._send(gate.wait)
    many = [host.engine.embed(inputs) for _ in range(40)]
    many[5].cancel()
    gate.set()
    for future in many[:5] + many[6:]:
        for vector, single in zip(future.result(), alone, strict=True):
            assert cosine(vector, single) > 0.9999
    assert many[5].cancelled()


def cosine(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True))
