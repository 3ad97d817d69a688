"""Answers that are kept: how many, how large, and which make room."""

from hypothesis import given
from hypothesis import strategies as st

from actorllm.actors.responses.store import ResponseStore
from actorllm.protocol.messages.responses import KeptResponse


def kept(size):
    return KeptResponse(b"x" * size, b"")


def store(**limits):
    return ResponseStore(**({"most": 3, "most_bytes": 100, "largest": 50} | limits))


def test_what_was_used_longest_ago_makes_room():
    s = store()
    for name in "abc":
        assert s.keep(name, kept(1))
    assert s.find("a")
    s.keep("d", kept(1))
    assert [s.find(name) is not None for name in "abcd"] == [True, False, True, True]
    assert (len(s), s.bytes, s.dropped) == (3, 3, 1)


def test_bytes_are_bounded_all_together_and_each():
    s = store(most=99)
    assert not s.keep("large", kept(51))
    for name in "abc":
        s.keep(name, kept(50))
    assert (s.find("a"), s.bytes) == (None, 100)


def test_what_was_forgotten_is_gone():
    s = store()
    s.keep("a", kept(5))
    s.keep("a", kept(7))
    assert s.bytes == 7
    assert s.forget("a")
    assert not s.forget("a")
    assert (s.find("a"), s.bytes, len(s)) == (None, 0, 0)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 60)), max_size=40))
def test_the_bounds_hold_whatever_is_kept(calls):
    s = store()
    for name, size in calls:
        assert s.keep(name, kept(size)) == (size <= 50)
        assert len(s) <= 3
        assert s.bytes <= 100
        assert s.bytes == sum(len(k.response) for k in s._kept.values())
