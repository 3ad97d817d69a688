"""What the death of a runner means."""

import pytest

from actorllm.actors.kernel import Exit
from actorllm.actors.queue.verdict import MAX_FAILOVERS, judge

KILLED = Exit("killed", "process was killed by SIGSEGV", 11, ("ggml: bad", "aborting"))
UNBORN = Exit("unborn", "nobody lives there")


def test_one_death_is_a_pause_and_a_request_without_a_token_is_suspect():
    assert judge("m", KILLED, 1, observed=False, advanced=True).problem is None
    assert not judge("m", KILLED, 1, observed=False, advanced=True).suspect
    assert judge("m", KILLED, 1, observed=False, advanced=False).suspect


def test_a_second_death_under_observation_is_blamed_on_the_request():
    problem = judge("m", KILLED, 2, observed=True, advanced=False).problem
    assert problem.status == 500
    assert problem.text == (
        "this request crashed the runner of 'm' twice "
        "(process was killed by SIGSEGV; its last words: aborting); change it"
    )


@pytest.mark.parametrize("number", [9, 15])
def test_kills_from_outside_are_blamed_on_the_request_only_if_they_go_on(number):
    exit_ = Exit("killed", "process was killed by somebody", number)
    for failovers in (2, 3):
        verdict = judge("m", exit_, failovers, observed=True, advanced=False)
        assert (verdict.problem, verdict.suspect) == (None, True)
    problem = judge("m", exit_, 4, observed=True, advanced=False).problem
    assert problem.text == (
        "the runner of 'm' was killed 4 times under this request (process was killed by somebody)"
    )


def test_a_request_that_got_a_token_is_not_to_blame():
    verdict = judge("m", KILLED, 2, observed=True, advanced=True)
    assert (verdict.problem, verdict.suspect) == (None, False)


def test_a_runner_that_was_dead_before_is_nobodys_fault():
    verdict = judge("m", UNBORN, 2, observed=True, advanced=False)
    assert (verdict.problem, verdict.suspect) == (None, False)


@pytest.mark.parametrize("exit_", [KILLED, UNBORN, Exit("crashed")])
def test_too_many_deaths_end_the_request_whoever_is_to_blame(exit_):
    assert judge("m", exit_, MAX_FAILOVERS, observed=False, advanced=True).problem is None
    problem = judge("m", exit_, MAX_FAILOVERS + 1, observed=False, advanced=True).problem
    assert problem.status == 500
    assert problem.text.startswith("the runner of 'm' died 9 times under this request (")
