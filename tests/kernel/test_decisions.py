"""Laws of the pure decisions: whom to restart, when it is too often, how long to wait."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.actors.kernel import Backoff, Exit, Intensity, Restart, Strategy
from actorllm.actors.kernel.decisions import (
    Plan,
    is_over_intensity,
    plan_after_exit,
    wants_restart,
)

exits = st.sampled_from(["normal", "stopped", "crashed", "killed"]).map(Exit)
families = st.lists(st.sampled_from(Restart), min_size=1, max_size=8).map(
    lambda kinds: [(f"c{n}", kind) for n, kind in enumerate(kinds)]
)


@st.composite
def cases(draw):
    family = draw(families)
    return family, draw(st.sampled_from(family))[0], draw(exits)


@given(cases())
def test_a_child_that_wants_no_restart_is_forgotten_alone(case):
    family, ended, exit_ = case
    if wants_restart(dict(family)[ended], exit_):
        return
    for strategy in Strategy:
        assert plan_after_exit(strategy, family, ended, exit_) == Plan(forget=True)


@given(cases(), st.sampled_from(Strategy))
def test_stops_go_backwards_and_starts_forwards(case, strategy):
    family, ended, exit_ = case
    plan = plan_after_exit(strategy, family, ended, exit_)
    at = {child: n for n, (child, _) in enumerate(family)}
    assert list(plan.stop) == sorted(plan.stop, key=at.__getitem__, reverse=True)
    assert list(plan.start) == sorted(plan.start, key=at.__getitem__)


@given(cases(), st.sampled_from(Strategy))
def test_what_is_stopped_and_not_temporary_is_started_again(case, strategy):
    family, ended, exit_ = case
    plan = plan_after_exit(strategy, family, ended, exit_)
    if plan.forget:
        assert plan.stop == plan.start == ()
        return
    kinds = dict(family)
    assert ended not in plan.stop
    assert set(plan.start) == {
        child for child in (*plan.stop, ended) if kinds[child] is not Restart.TEMPORARY
    }
    assert ended in plan.start


@given(cases())
def test_each_strategy_has_its_set(case):
    family, ended, exit_ = case
    if not wants_restart(dict(family)[ended], exit_):
        return
    ids = [child for child, _ in family]
    younger = set(ids[ids.index(ended) + 1 :])

    def stopped(strategy):
        return set(plan_after_exit(strategy, family, ended, exit_).stop)

    assert stopped(Strategy.ONE_FOR_ONE) == set()
    assert stopped(Strategy.REST_FOR_ONE) == younger
    assert stopped(Strategy.ONE_FOR_ALL) == set(ids) - {ended}


@pytest.mark.parametrize(
    ("restart", "kinds"),
    [
        (Restart.PERMANENT, {"normal", "stopped", "crashed", "killed"}),
        (Restart.TRANSIENT, {"crashed", "killed"}),
        (Restart.TEMPORARY, set()),
    ],
)
def test_restart_types_decide_by_the_kind_of_exit(restart, kinds):
    everything = ("normal", "stopped", "crashed", "killed")
    assert {kind for kind in everything if wants_restart(restart, Exit(kind))} == kinds


times = st.lists(st.floats(0, 1000), max_size=20).map(sorted)


@given(times, st.integers(0, 10), st.floats(0.1, 100))
def test_intensity_counts_what_lies_in_its_window(restarts, limit, seconds):
    now = restarts[-1] if restarts else 0.0
    over = is_over_intensity(restarts, now, Intensity(limit, seconds))
    assert over == (len([t for t in restarts if now - t <= seconds]) > limit)
    if over:
        assert is_over_intensity(restarts, now, Intensity(limit, seconds * 2))
        assert not is_over_intensity(restarts, now, Intensity(len(restarts), seconds))


@given(
    st.floats(0.001, 10),
    st.floats(0.001, 100),
    st.floats(0, 0.9),
    st.integers(1, 10_000),
    st.floats(0, 1, exclude_max=True),
)
def test_backoff_doubles_to_its_cap_within_its_jitter(first, cap, jitter, restarts, chance):
    backoff = Backoff(first, cap, jitter)
    plain = Backoff(first, cap, 0.0)
    wait = plain.delay(restarts, chance)
    assert wait <= cap
    assert wait == min(cap, first) if restarts == 1 else wait >= plain.delay(restarts - 1, chance)
    if wait < cap / 2:
        assert plain.delay(restarts + 1, chance) == pytest.approx(2 * wait)
    spread = backoff.delay(restarts, chance)
    assert wait * (1 - jitter) * 0.999 <= spread <= wait * (1 + jitter) * 1.001


def test_the_default_backoff_reaches_its_cap_after_seven_doublings():
    waits = [Backoff(jitter=0).delay(n, 0.5) for n in range(1, 10)]
    assert waits == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
