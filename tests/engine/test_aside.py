"""States in memory and on disk."""

from types import SimpleNamespace

import pytest

from actorllm.actors.runner.engine.aside import Aside
from actorllm.actors.runner.engine.holders import Holders
from actorllm.actors.runner.engine.store import Saved
from tests.engine.shelf import PARTS, Shelf

SIZE = 100


def make_saved(tokens, *, cost=1.0, orderly=0, kind=""):
    return Saved(tuple(tokens), orderly, SIZE, cost, data=memoryview(bytes(SIZE)), kind=kind)


@pytest.fixture
def holders():
    return Holders(SimpleNamespace(can_cut=True, can_cut_saved=True))


def test_the_cheapest_state_makes_way_and_is_not_found_any_more(holders):
    aside = Aside(holders, 2 * SIZE, None)
    cheap, dear, new = (make_saved(range(n, n + 9), cost=n + 1.0) for n in (0, 100, 200))
    for saved in (cheap, dear, new):
        aside.keep(saved)
    assert aside.used == 2 * SIZE
    assert cheap.data is None
    assert holders.usable(cheap.tokens, "") == {}
    assert holders.usable(dear.tokens, "") == {dear: 8}


def test_a_state_stands_for_its_beginnings_if_it_is_as_orderly(holders):
    aside = Aside(holders, 10 * SIZE, None)
    short, other = make_saved(range(5)), make_saved(range(5), orderly=5, kind="small")
    aside.keep(short)
    aside.keep(other)
    long = make_saved(range(10))
    aside.drop_beginnings(long)
    aside.keep(long)
    assert holders.usable(range(20), "") == {long: 10, other: 5}


def test_what_is_worth_a_file_comes_back_in_parts(holders):
    shelf = Shelf()
    aside = Aside(holders, 10 * SIZE, shelf)
    aside.keep(make_saved(range(300)))
    aside.keep(make_saved(range(500, 755)))  # too short for a file
    aside.write()
    [saved] = shelf.entries()
    again = Aside(holders, 10 * SIZE, shelf)
    assert again.used == 0
    again.expect(saved)
    assert [again.read_on() for _ in range(PARTS + 1)] == [*[True] * PARTS, False]
    assert (len(saved.data), again.used) == (SIZE, SIZE)


def test_a_state_that_cannot_be_read_is_not_found_any_more(holders):
    shelf = Shelf()
    aside = Aside(holders, 10 * SIZE, shelf)
    aside.keep(make_saved(range(300)))
    aside.write()
    [saved] = shelf.entries()
    shelf.broken = True
    aside.expect(saved)
    while aside.read_on():
        pass
    assert holders.usable(range(300), "") == {}


def test_a_state_that_memory_does_not_want_is_there_until_another_arrives(holders):
    shelf = Shelf()
    first = Aside(holders, 10 * SIZE, shelf)
    first.keep(make_saved(range(300)))
    first.keep(make_saved(range(1000, 1300)))
    first.write()
    small = Aside(holders, SIZE - 1, shelf)
    one, two = shelf.entries()
    for saved in (one, two):
        small.expect(saved)
        while small.read_on():
            pass
    assert small.used == 0
    assert one.data is None
    assert two.data is not None
