"""Thoughts are told from the answer, counted, and ended when their budget is spent."""

import pytest

from actorllm.actors.runner.engine.thoughts import Thoughts
from actorllm.actors.runner.engine.types import Thinking

ENDING = (7, 8)
SPOKEN = {7: "</thi", 8: "nk>"}
MAY = Thinking("<think>", ("</think>",), ENDING)
OPENED = Thinking("", ("</think>", "[END]"), ENDING)


def follow(thinking, *pieces):
    thoughts = Thoughts(thinking)
    for piece in pieces:
        assert thoughts.forced is None
        thoughts.take(piece.encode())
    return thoughts


@pytest.mark.parametrize(
    ("thinking", "pieces", "count"),
    [
        (None, ("<think>", "a", "</think>"), 0),
        (MAY, ("Hello",), 0),
        (MAY, ("<think>", "a", "b"), 2),
        (MAY, ("<think>", "a", " b", "</think>", "c", "d"), 2),
        (MAY, (" \n", "<think>", "a", "</think>"), 1),
        (MAY, ("<th", "ink>a", "b</th", "ink>", "c"), 2),
        (MAY, ("<", "b>", "<think>", "a"), 0),
        (MAY, (" " * 17, "<think>", "a"), 0),
        (MAY, ("<think>", "\n", "\n", "</think>", "a"), 0),
        (MAY, ("<think>", "\n", "</", "think", ">", "a"), 0),
        (MAY, ("<think>", "a", "</", "b", "</", "think", ">", "a"), 3),
        (OPENED, ("a", "b", "[END]", "c"), 2),
        (OPENED, ("</think>", "<think>", "a"), 0),
    ],
)
def test_tokens_between_the_tags_are_counted(thinking, pieces, count):
    assert follow(thinking, *pieces).count == count


@pytest.mark.parametrize("thinking", [MAY, OPENED])
@pytest.mark.parametrize("budget", [0, 1, 3])
def test_a_spent_budget_forces_the_closing_tag(thinking, budget):
    opened = [thinking.opening] if thinking.opening else []
    limited = Thinking(thinking.opening, thinking.closings, ENDING, budget)
    thoughts = follow(limited, *opened, *"abc"[:budget])
    for token in ENDING:
        assert thoughts.forced == token
        thoughts.take(SPOKEN[token].encode())
    assert thoughts.forced is None
    assert thoughts.count == budget
    thoughts.take(b"answer")
    assert (thoughts.forced, thoughts.count) == (None, budget)


def test_thoughts_that_end_in_time_are_left_alone():
    thoughts = follow(Thinking("", ("</think>",), ENDING, 3), "a", "</think>", "b", "c", "d")
    assert (thoughts.forced, thoughts.count) == (None, 1)


def test_a_tag_that_its_tokens_do_not_spell_ends_them_all_the_same():
    thoughts = Thoughts(Thinking("", ("</think>",), ENDING, 1))
    for piece in (b"a", b" <", b"/x"):
        thoughts.take(piece)
    assert (thoughts.forced, thoughts.count) == (None, 1)


def test_thoughts_that_are_resumed_go_on_where_they_were():
    limited = Thinking("", ("</think>",), ENDING, 2)
    whole = [b"a", b"b", b"</thi", b"nk>", b"c"]
    for cut in range(len(whole) + 1):
        first, second = Thoughts(limited), Thoughts(limited)
        for piece in whole[:cut]:
            first.take(piece)
            second.take(piece)
        assert second.forced == first.forced == {2: 7, 3: 8}.get(cut)
