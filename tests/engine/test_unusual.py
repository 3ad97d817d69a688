"""Prefixes of models whose cells cannot be cut at will: recurrent ones, and sliding windows."""

import random

import pytest

from actorllm.actors.runner.engine.types import Archiving, Sampling, Work
from tests.engine.unusual import WINDOW, make_hybrid, make_recurrent, make_sliding

SETTINGS = {"num_ctx": 1024, "slots": 2, "num_batch": 64, "threads": 1, "saved_bytes": 1 << 26}
LENGTH = 12
LAYOUTS = pytest.mark.parametrize("unified", [False, True])


def make_prompt(number, length=400):
    chance = random.Random(number)
    return tuple(chance.randrange(260, 512) for _ in range(length))


def make_work(number, prompt, length=LENGTH):
    endless = Sampling(temperature=0, logit_bias=((2, float("-inf")),))
    return Work(id=number, prompt=prompt, max_tokens=length, sampling=endless)


@pytest.fixture(scope="module")
def sliding(tmp_path_factory):
    return make_sliding(tmp_path_factory.mktemp("models") / "sliding.gguf")


@pytest.fixture(scope="module", params=[make_recurrent, make_hybrid])
def recurrent(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("models") / "recurrent.gguf")


@pytest.fixture
def ask(make_host):
    """Ask one question after the other; tell the tokens and how many were cached."""

    def ask(path, *prompts, **changes):
        host = make_host(path, **(SETTINGS | changes))
        runs = [host.run(make_work(n, prompt))[n] for n, prompt in enumerate(prompts)]
        host.engine.close()
        return [tokens for tokens, _, _ in runs], [finish.cached_tokens for _, _, finish in runs]

    return ask


@LAYOUTS
def test_a_recurrent_model_has_a_checkpoint_before_the_last_token(recurrent, ask, unified):
    one, two = make_prompt(1), make_prompt(2)
    texts, cached = ask(recurrent, one, two, one, unified=unified)
    assert cached == [0, 0, len(one) - 1]
    assert texts[2] == texts[0]


def assert_goes_on_from_its_end(model, ask, *, unified):
    """The second turn of a conversation computes only what is new, and says what it says alone."""
    one = make_prompt(1)
    (said,), _ = ask(model, one, unified=unified)
    longer = one + said[:-1] + make_prompt(2, 30)
    texts, cached = ask(model, one, longer, unified=unified)
    alone, _ = ask(model, longer, unified=unified)
    assert cached == [0, len(one) + len(said) - 1]
    assert texts[1] == alone[0]


@LAYOUTS
def test_a_recurrent_conversation_goes_on_from_its_end(recurrent, ask, unified):
    assert_goes_on_from_its_end(recurrent, ask, unified=unified)


@LAYOUTS
def test_a_conversation_in_a_sliding_window_goes_on_from_its_end(sliding, ask, unified):
    assert_goes_on_from_its_end(sliding, ask, unified=unified)


@LAYOUTS
def test_a_recurrent_prompt_that_leaves_another_in_the_middle_is_computed(recurrent, ask, unified):
    one = make_prompt(1)
    other = one[:300] + make_prompt(2, 50)
    texts, cached = ask(recurrent, one, other, unified=unified)
    alone, _ = ask(recurrent, other, unified=unified)
    assert cached == [0, 0]
    assert texts[1] == alone[0]


def test_a_recurrent_state_survives_its_process(recurrent, ask, tmp_path):
    archive = Archiving(folder=str(tmp_path / "kv"), key="recurrent", quota=1 << 30)
    one = make_prompt(1)
    first, _ = ask(recurrent, one, archive=archive)
    second, cached = ask(recurrent, one, archive=archive)
    assert cached == [len(one) - 1]
    assert second == first


@LAYOUTS
@pytest.mark.parametrize("shared", [20, 200, 399])
def test_a_sliding_window_that_lacks_cells_computes_them(sliding, ask, unified, shared):
    one = make_prompt(1)
    other = one[:shared] + make_prompt(2, 50)
    texts, cached = ask(sliding, one, other, unified=unified)
    alone, _ = ask(sliding, other, unified=unified)
    assert texts[1] == alone[0]
    assert cached[1] in (0, shared)


@LAYOUTS
def test_a_saved_window_that_slid_is_used_whole_or_not_at_all(sliding, ask, tmp_path, unified):
    archive = Archiving(folder=str(tmp_path / "kv"), key="sliding", quota=1 << 30)
    one = make_prompt(1)
    (said,), _ = ask(sliding, one, unified=unified, archive=archive)
    longer = one + said[:-1] + make_prompt(2, 30)
    shorter = one[: len(one) - WINDOW]
    for prompt, known in ((longer, len(one) + len(said) - 1), (shorter, 0)):
        texts, cached = ask(sliding, prompt, unified=unified, archive=archive)
        alone, _ = ask(sliding, prompt, unified=unified)
        assert cached == [known]
        assert texts == alone
