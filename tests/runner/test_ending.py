"""What is said at the end of a generation."""

import pytest

from actorllm.actors.runner.ending import done_of
from actorllm.actors.runner.engine.types import Finish
from actorllm.actors.runner.messages import Resume
from actorllm.actors.runner.pieces import Pieces
from actorllm.actors.runner.prompting import prepare


def notices(desk, generate, finish, **options):
    m = generate(prompt="x", raw=True, options=options)
    prepared = prepare(desk.host, desk.loaded, m)
    pieces = Pieces(prepared.parser, desk.host.detokenize, Resume(), (), str)
    return done_of(m, desk.loaded, prepared, finish, pieces).notices


@pytest.mark.parametrize("wanted", [-1, 0, 5000])
async def test_an_answer_that_may_not_go_on_says_so(desk, generate, wanted):
    finish = Finish(reason="length", generated_tokens=1280)
    (said,) = notices(desk, generate, finish, num_predict=wanted)
    assert said.startswith("the answer ends after 1280 tokens")


async def test_an_answer_of_the_wanted_length_says_nothing(desk, generate):
    assert notices(desk, generate, Finish(reason="length", generated_tokens=7), num_predict=7) == ()
    assert notices(desk, generate, Finish(reason="stop", generated_tokens=7)) == ()


async def test_a_full_window_is_said_once(desk, generate):
    finish = Finish(reason="length", generated_tokens=7, window_full=True)
    (said,) = notices(desk, generate, finish)
    assert "was full" in said
