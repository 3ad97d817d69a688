import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.actors.downloader.parts import (
    MAX_PARTS,
    Part,
    completed,
    dump_state,
    load_state,
    plan,
    prefix,
)

SIZES = st.integers(0, 1 << 50)


@given(size=SIZES, streams=st.integers(1, 64))
def test_parts_cover_a_blob_without_gaps(size, streams):
    parts = plan(size, streams)
    assert sum(part.size for part in parts) == size
    assert [part.offset for part in parts] == [0, *(p.end for p in parts)][: len(parts)]
    assert all(part.size > 0 for part in parts)
    assert len(parts) <= MAX_PARTS


def test_small_blobs_are_not_cut():
    assert plan(4 * 1024 * 1024, 16) == (Part(0, 4 * 1024 * 1024),)


@given(data=st.data())
def test_a_state_that_was_written_is_read(data):
    sizes = data.draw(st.lists(st.integers(1, 1 << 40), max_size=8))
    parts, at = [], 0
    for size in sizes:
        done = data.draw(st.integers(0, size))
        parts.append(Part(at, size, done, data.draw(st.integers(0, 2**32 - 1))))
        at += size
    assert load_state(dump_state(parts), at) == tuple(parts)


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"null",
        b"[]",
        b'"' + b"[" * 5000,
        b"[" * 100_000,
        b'{"size": 10}',
        b'{"size": 10, "parts": 7}',
        b'{"size": 10, "parts": [[10, 0]]}',
        b'{"size": 10, "parts": [[10, 0, 0, 0]]}',
        b'{"size": 10, "parts": [[10, 11, 0]]}',
        b'{"size": 10, "parts": [[10, -1, 0]]}',
        b'{"size": 10, "parts": [[11, 0, 0]]}',
        b'{"size": 10, "parts": [[9, 0, 0]]}',
        b'{"size": 10, "parts": [[10, 0, 4294967296]]}',
        b'{"size": 10, "parts": [[10.0, 0, 0]]}',
        b'{"size": 10, "parts": [[10, true, 0]]}',
        b'{"size": 10, "parts": [[0, 0, 0], [10, 0, 0]]}',
        b'{"size": 11, "parts": [[11, 0, 0]]}',
    ],
)
def test_what_is_no_state_of_this_blob_is_not_read(state):
    assert load_state(state, 10) is None


def test_a_state_of_too_many_parts_is_not_read():
    count = MAX_PARTS + 1
    state = json.dumps({"size": count, "parts": [[1, 0, 0]] * count}).encode()
    assert load_state(state, count) is None


def test_the_prefix_ends_at_the_first_gap():
    parts = [Part(0, 10, 10), Part(10, 10, 4), Part(20, 10, 10)]
    assert prefix(parts) == 14
    assert completed(parts) == 24
    assert prefix(parts[:1]) == 10
    assert prefix([]) == 0
