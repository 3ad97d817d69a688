"""Whose turn it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.actors.scheduler.fairness import FairQueue

CLIENTS = st.sampled_from("abcd")


def filled(*clients: str) -> FairQueue[int]:
    queue = FairQueue[int]()
    for number, client in enumerate(clients):
        queue.push(client, number)
    return queue


def drained(queue: FairQueue[int]) -> list[int]:
    return [queue.pop() for _ in range(len(queue))]


def test_clients_take_turns_and_each_client_keeps_its_order():
    assert drained(filled("a", "a", "a", "b", "c", "b")) == [0, 3, 4, 1, 5, 2]


def test_an_item_at_the_front_is_the_next_one():
    queue = filled("a", "b")
    queue.push("b", 9, front=True)
    assert queue.peek() == 9
    assert drained(queue) == [9, 0, 1]


def test_what_was_removed_does_not_come():
    queue = filled("a", "a", "b")
    assert queue.remove("a", 0)
    assert not queue.remove("a", 0)
    assert not queue.remove("x", 1)
    assert drained(queue) == [1, 2]


def test_an_empty_queue_has_nobody():
    queue = filled("a")
    assert queue.remove("a", 0)
    assert queue.peek() is None
    assert len(queue) == 0
    with pytest.raises(IndexError, match="nobody waits"):
        queue.pop()


@given(st.lists(CLIENTS, max_size=30))
def test_iteration_gives_the_order_of_popping(clients):
    queue = filled(*clients)
    assert list(queue) == drained(queue)


@given(st.lists(CLIENTS, max_size=30), st.sets(st.integers(0, 29)))
def test_nothing_is_lost_and_nothing_comes_twice(clients, gone):
    queue = filled(*clients)
    gone = {n for n in gone if n < len(clients)}
    assert all(queue.remove(clients[n], n) for n in sorted(gone))
    assert sorted(drained(queue)) == sorted(set(range(len(clients))) - gone)


@given(st.lists(CLIENTS, min_size=1, max_size=60), st.data())
def test_no_client_starves(arrivals, data):
    """Between two turns of a client that waits, every other client has at most one."""
    queue = FairQueue[int]()
    waiting: dict[str, list[int]] = {}
    since: dict[str, list[str]] = {}
    for number, client in enumerate(arrivals):
        queue.push(client, number)
        waiting.setdefault(client, []).append(number)
        since.setdefault(client, [])
        for _ in range(data.draw(st.integers(0, 2))):
            if not len(queue):
                break
            item = queue.pop()
            served = arrivals[item]
            assert waiting[served].pop(0) == item
            for other, turns in since.items():
                if other != served and waiting.get(other):
                    turns.append(served)
                    assert len(turns) == len(set(turns))
            since[served] = []
