import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.cli.bench.statistics import Spread, percentile, ratio, spread

VALUES = st.lists(st.floats(0, 1e9), min_size=1)


def test_a_spread_is_the_median_and_the_ends():
    assert spread([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert spread([4.0]) == Spread(4.0, 4.0, 4.0)


def test_a_percentile_is_the_nearest_rank():
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, p) for p in (0, 1, 50, 99, 100)] == [1, 1, 50, 99, 100]
    assert percentile([1.0, 2.0, 3.0, 4.0], 50) == 2
    assert percentile([1.0, 2.0, 3.0, 4.0], 51) == 3
    assert percentile([7.0], 99) == 7


@given(VALUES, st.floats(0, 100))
def test_so_many_values_are_not_above_a_percentile(values, percent):
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= len(values) * percent / 100


@pytest.mark.parametrize(("values", "percent"), [([], 50), ([1.0], -1), ([1.0], 101)])
def test_a_percentile_of_nothing_is_an_error(values, percent):
    with pytest.raises(ValueError, match="a percentile needs"):
        percentile(values, percent)


def test_a_ratio_is_taken_round_by_round():
    # A disturbance that lasts for a round cancels out; the ratio of the medians would be 0.5.
    assert ratio([1.0, 10.0, 1.0], [2.0, 20.0, 2.0]) == Spread(0.5, 0.5, 0.5)
    assert ratio([1.0, 9.0], [2.0, 3.0]) == Spread(1.75, 0.5, 3.0)


def test_rounds_without_a_value_do_not_count():
    assert ratio([1.0, 3.0], [2.0]) == Spread(0.5, 0.5, 0.5)
    assert ratio([1.0, 3.0], [0.0, 3.0]) == Spread(1.0, 1.0, 1.0)
    assert ratio([], [1.0]) is None
