"""Inputs that fit, vectors as they were asked for."""

import math

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.actors.runner.embedding import fit_inputs, shape_vectors
from actorllm.actors.runner.engine.fake import FAKE_BOS
from actorllm.actors.runner.messages import Embed
from actorllm.protocol.errors import Refused

FLOATS = st.floats(-1e6, 1e6)


def embed(*inputs, truncate=True, num_ctx=None):
    return Embed(inputs, truncate=truncate, normalize=True, dimensions=0, num_ctx=num_ctx)


async def test_inputs_are_tokenized_each(embedder):
    inputs = fit_inputs(embedder.host, embedder.loaded, embed("a", "", "é")).tokens
    assert inputs == [[FAKE_BOS, 97], [FAKE_BOS], [FAKE_BOS, 0xC3, 0xA9]]


async def test_a_long_input_loses_its_end_and_keeps_its_special_tokens(embedder):
    [cut] = fit_inputs(embedder.host, embedder.loaded, embed("x" * 500)).tokens
    assert cut == [FAKE_BOS] + [120] * 127
    [cut] = fit_inputs(embedder.host, embedder.loaded, embed("x" * 500, num_ctx=8)).tokens
    assert cut == [FAKE_BOS] + [120] * 7


async def test_the_window_is_what_the_model_was_trained_for(embedder):
    trained = attrs.evolve(embedder.loaded, n_ctx_train=5)
    [cut] = fit_inputs(embedder.host, trained, embed("x" * 500, num_ctx=100)).tokens
    assert len(cut) == 5


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (embed("x" * 500, truncate=False), "the input length exceeds the context length"),
        (embed("xx", num_ctx=1), "input after truncation exceeds maximum context length"),
        (
            embed("x", num_ctx=0),
            "input exceeds maximum context length and cannot be truncated further",
        ),
    ],
)
async def test_what_does_not_fit_is_refused(embedder, wanted, text):
    with pytest.raises(Refused) as refused:
        fit_inputs(embedder.host, embedder.loaded, wanted)
    assert (refused.value.problem.status, refused.value.problem.text) == (400, text)


def test_fewer_dimensions_have_length_one_again_if_wanted():
    assert shape_vectors([(3.0, 4.0, 12.0)], 2, normalize=True) == ((0.6, 0.8),)
    assert shape_vectors([(3.0, 4.0, 12.0)], 2, normalize=False) == ((3.0, 4.0),)
    assert shape_vectors([(0.0, 0.0, 1.0)], 2, normalize=True) == ((0.0, 0.0),)


@pytest.mark.parametrize("dimensions", [-1, 0, 3, 99])
def test_other_dimensions_leave_vectors_as_they_are(dimensions):
    assert shape_vectors([(3.0, 4.0, 12.0)], dimensions, normalize=True) == ((3.0, 4.0, 12.0),)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(Refused, match="NaN or Inf"):
        shape_vectors([(1.0, value)], 0, normalize=True)


@given(st.lists(FLOATS, min_size=2, max_size=9), st.integers(1, 9))
def test_cut_vectors_have_length_one(vector, dimensions):
    [shaped] = shape_vectors([vector], dimensions, normalize=True)
    assert len(shaped) == min(dimensions, len(vector))
    if dimensions < len(vector) and any(abs(x) > 1e-100 for x in vector[:dimensions]):
        assert math.isclose(math.hypot(*shaped), 1, rel_tol=1e-6)
