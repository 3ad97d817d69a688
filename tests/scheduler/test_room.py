"""Who has to go for whom."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.actors.scheduler.room import Candidate, Room, make_room, victim

IDLE_LONG = Candidate("idle-long", math.inf, busy=False)
IDLE_SHORT = Candidate("idle-short", 5, busy=False)
BUSY_SHORT = Candidate("busy-short", 1, busy=True)
BUSY_LONG = Candidate("busy-long", 100, busy=True)

CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.text("abc", min_size=1, max_size=3),
        st.floats(0, math.inf),
        busy=st.booleans(),
    ),
    max_size=5,
    unique_by=lambda c: c.key,
)
BYTES = st.integers(0, 1 << 40)


def test_the_idle_one_that_would_go_first_goes():
    assert victim([IDLE_LONG, BUSY_SHORT, IDLE_SHORT, BUSY_LONG]) == IDLE_SHORT


def test_a_busy_one_goes_only_if_none_is_idle():
    assert victim([BUSY_LONG, BUSY_SHORT]) == BUSY_SHORT
    assert victim([BUSY_SHORT, IDLE_LONG]) == IDLE_LONG
    assert victim([]) is None


@pytest.mark.parametrize(
    ("needed", "loaded", "room"),
    [
        (100, [], Room("load")),
        (101, [], Room("refuse")),
        (80, [IDLE_LONG], Room("load")),
        (81, [IDLE_LONG], Room("evict", "idle-long")),
        (1, [IDLE_LONG, IDLE_SHORT, BUSY_LONG], Room("evict", "idle-short")),
    ],
)
def test_a_load_takes_all_memory_alone_and_most_of_it_beside_others(needed, loaded, room):
    assert make_room(needed, 100, 3, loaded) == room


@given(BYTES, BYTES, st.integers(1, 4), CANDIDATES)
def test_eviction_ends_and_nothing_is_refused_while_somebody_could_go(needed, free, most, loaded):
    steps = 0
    while (room := make_room(needed, free, most, loaded)).action == "evict":
        loaded = [c for c in loaded if c.key != room.key]
        steps += 1
        assert steps <= 5
    assert len(loaded) < most
    if room.action == "refuse":
        assert not loaded
        assert needed > free
