"""Who waits for which weights."""

from actorllm.actors.scheduler.waiting import Waiting
from tests.scheduler.records import make_waiter

ANT, BEE = "sha256:ant", "sha256:bee"


def test_the_heads_are_those_whose_turn_it_is_the_longest_waiting_first():
    waiting = Waiting()
    ant, bee, later = make_waiter("ant", 2.0), make_waiter("bee", 1.0), make_waiter("bee", 3.0)
    for one in (ant, bee, later):
        waiting.push(one)
    assert waiting.heads() == [bee, ant]
    assert (len(waiting), waiting.wanted()) == (3, (ANT, BEE))
    assert waiting.take(BEE) is bee
    assert waiting.heads() == [ant, later]


def test_who_had_its_turn_already_comes_first():
    waiting = Waiting()
    first, suspect = make_waiter("ant", 1.0), make_waiter("ant", 2.0, suspect=True)
    waiting.push(first)
    waiting.push(suspect)
    assert waiting.first(ANT) is suspect


def test_weights_that_nobody_wants_any_more_are_forgotten():
    waiting = Waiting()
    ant, bee, other = make_waiter("ant", 1.0), make_waiter("bee", 2.0), make_waiter("bee", 3.0, "d")
    for one in (ant, bee, other):
        waiting.push(one)
    waiting.remove(ant)
    waiting.remove(ant)
    assert ANT not in waiting
    assert waiting.first(ANT) is None
    assert waiting.take_all(BEE) == [bee, other]
    assert (len(waiting), waiting.heads(), waiting.take_all(BEE)) == (0, [], [])
