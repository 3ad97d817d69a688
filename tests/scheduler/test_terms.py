"""On which terms a model is loaded, and whether they will do for a request."""

from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.actors.scheduler.terms import (
    DEFAULT_BATCH,
    DEFAULT_CONTEXT,
    suits,
    terms_of,
)
from actorllm.protocol.messages.models import BlobAt
from actorllm.protocol.options import Options
from tests.simulation.system import make_model, make_settings

LARGE = make_model("large", context_length=131072)
SETTINGS = make_settings(Path("/nowhere"))


def terms(model=LARGE, settings=SETTINGS, **options):
    return terms_of(model, Options(**options), settings)


@pytest.mark.parametrize(
    ("wanted", "trained", "daemon", "tokens"),
    [
        (None, 131072, 0, DEFAULT_CONTEXT),
        (None, 131072, 8192, 8192),
        (None, 1024, 0, 1024),
        (2000, 131072, 8192, 2048),
        (200_000, 131072, 0, 131072),
        (200_000, 0, 0, 200_192),
        (1, 131072, 0, 256),
        (-5, 131072, 0, DEFAULT_CONTEXT),
        (0, 131072, 8192, 8192),
    ],
)
def test_the_context_is_the_requests_the_daemons_or_the_default(wanted, trained, daemon, tokens):
    settings = make_settings(Path("/nowhere"), context_length=daemon)
    assert (
        terms(make_model("m", context_length=trained), settings, num_ctx=wanted).num_ctx == tokens
    )


@pytest.mark.parametrize(
    "change",
    [
        {"num_ctx": 8192},
        {"num_batch": 64},
        {"num_gpu": 0},
        {"main_gpu": 1},
        {"use_mmap": False},
        {"num_thread": 2},
    ],
)
def test_what_matters_at_load_time_reloads(change):
    assert not suits(terms(), terms(**change))
    assert suits(terms(**change), terms(**change))
    assert suits(terms(**change), terms())  # who does not ask takes what is there


@pytest.mark.parametrize(
    "nothing", [{"num_ctx": 0}, {"num_ctx": -1}, {"num_batch": 0}, {"num_batch": -1}]
)
def test_what_is_no_number_of_tokens_is_not_given(nothing):
    assert terms(**nothing) == terms()
    assert suits(terms(num_ctx=512, num_batch=64), terms(**nothing))


def test_other_options_do_not_reload():
    assert suits(terms(), terms(temperature=0.1, seed=4, stop=("x",), num_predict=3))


def test_a_deterministic_request_reloads_what_was_not_loaded_for_it():
    wanted = terms(deterministic=True)
    assert not suits(terms(), wanted)
    assert suits(wanted, wanted)
    assert suits(wanted, terms())
    everywhere = attrs.evolve(SETTINGS, deterministic=True)
    assert terms(settings=everywhere) == wanted
    embedder = attrs.evolve(LARGE, pooling="mean")
    assert suits(terms(embedder), terms(embedder, deterministic=True))


@pytest.mark.parametrize("by_another", [{"num_batch": 64}, {"num_ctx": 512}])
def test_a_deterministic_request_takes_no_load_that_another_has_shaped(by_another):
    wanted = terms(deterministic=True)
    assert not suits(terms(**by_another, deterministic=True), wanted)
    assert suits(terms(num_batch=DEFAULT_BATCH, num_ctx=8192, deterministic=True), wanted)


def test_a_deterministic_request_has_the_window_that_it_would_have_alone():
    assert terms(deterministic=True).window(8192) == DEFAULT_CONTEXT
    assert terms(num_ctx=512, deterministic=True).window(8192) == 512
    assert terms(num_ctx=512, deterministic=True).window(500) == 500  # all that it was trained for
    assert terms(num_ctx=512).window(8192) == 0


def test_the_usual_batch_is_what_was_loaded_if_nobody_said_so():
    assert suits(terms(), terms(num_batch=DEFAULT_BATCH))


def test_other_adapters_reload():
    tuned = attrs.evolve(LARGE, adapters=(BlobAt("sha256:a", "/blobs/a", 1),))
    assert not suits(terms(), terms(tuned))
    assert not suits(terms(tuned), terms())
    assert suits(terms(tuned), terms(tuned))


@given(st.integers(1, 140_000), st.integers(1, 140_000))
def test_a_smaller_or_equal_context_never_reloads(a, b):
    small, large = sorted((a, b))
    assert suits(terms(num_ctx=large), terms(num_ctx=small))
