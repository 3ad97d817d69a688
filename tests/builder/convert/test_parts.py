import numpy as np
import pytest

from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.parts import joined, permuted, sliced, whole


def test_heads_go_from_halves_to_pairs():
    rows = np.arange(8)[:, None]  # two heads of two halves of two rows
    cut = permuted(whole("q", "q", (8, 1)), 2)
    assert cut.layout(rows).ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert permuted(whole("q", "q", (8,)), 2).layout(np.arange(8)).tolist() == (
        [0, 2, 1, 3, 4, 6, 5, 7]
    )


def test_rows_that_are_no_heads_are_refused():
    with pytest.raises(ConvertError, match="9 rows, which are not 2 heads"):
        permuted(whole("q", "q", (9, 4)), 2)


def test_a_range_of_a_dimension_can_be_taken():
    array = np.arange(24).reshape(2, 4, 3)
    cut = sliced(whole("x", "x", (2, 4, 3)), "y", 1, 1, 3)
    assert (cut.name, cut.shape) == ("y", (2, 2, 3))
    assert np.array_equal(cut.layout(array), array[:, 1:3])


def expert(index, shape=(2, 3)):
    name = f"l.0.experts.{index}.w1.weight"
    return whole(name, name, shape)


def test_experts_are_stacked_in_the_order_of_their_numbers():
    (one, many) = joined([expert(10 - i) for i in range(11)] + [whole("n", "n", (5,))])
    assert (one.name, one.shape) == ("n", (5,))
    assert (many.name, many.shape) == ("l.0.experts.w1.weight", (11, 2, 3))
    assert [cut.source for cut in many.cuts] == [f"l.0.experts.{i}.w1.weight" for i in range(11)]


@pytest.mark.parametrize(
    ("cuts", "said"),
    [
        ([expert(0), expert(2)], "are missing"),
        ([expert(0), expert(1, (3, 2))], "differ in their shapes"),
        ([expert(0), expert(0)], "is there twice"),
        ([whole("a", "n", (1,)), whole("b", "n", (1,))], "two tensors are both n"),
        ([expert(0), whole("a", "l.0.experts.w1.weight", (1, 2, 3))], "both whole and expert"),
    ],
)
def test_experts_that_do_not_fit_together_are_refused(cuts, said):
    with pytest.raises(ConvertError, match=said):
        joined(cuts)
