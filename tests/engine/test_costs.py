"""What copying and computing cost."""

from actorllm.actors.runner.engine.costs import Costs


def test_before_anything_is_measured_a_guess_is_made():
    costs = Costs(lambda: 0.0)
    assert costs.computing(500) == 0.5
    assert costs.copying(1_000_000_000) == 0.5
    assert costs.unnoticed == 60_000_000


def test_the_rate_of_prompts_is_asked_for_anew():
    rates = [100.0, 200.0]
    costs = Costs(lambda: rates.pop(0))
    assert (costs.computing(200), costs.computing(200)) == (2.0, 1.0)


def test_a_copy_teaches_how_fast_copies_are():
    costs = Costs(lambda: 0.0)
    for _ in range(40):
        costs.learn(1 << 30, 1.0)
    assert abs(costs.copying(1 << 30) - 1.0) < 0.01


def test_small_copies_and_those_that_took_no_time_teach_nothing():
    costs = Costs(lambda: 0.0)
    before = costs.copying(1 << 20)
    costs.learn((1 << 20) - 1, 1.0)
    costs.learn(1 << 30, 0.0)
    assert costs.copying(1 << 20) == before
