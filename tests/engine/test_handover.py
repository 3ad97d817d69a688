"""What is changed in the state of a sequence, on states as llama.cpp writes them."""

import struct

import numpy as np
import pytest

from actorllm.actors.runner.engine.handover import as_first, as_only, room_for, transposed
from actorllm.actors.runner.engine.types import EngineError

CELLS, WIDTH, LAYERS = 5, 3, 2


def written(*, columns: bool) -> memoryview:
    """A state with values that tell their layer, cell and place."""
    data = bytearray(struct.pack("=IiII", 0x1234, 7, 1, CELLS))
    for cell in range(CELLS):
        data += struct.pack("=iIi", cell, 1, 7)
    data += struct.pack("=II", columns, LAYERS)
    for layer in range(LAYERS):
        data += struct.pack("=iQ", 1, 4) + bytes([layer] * 4 * CELLS)
    for layer in range(LAYERS):
        table = np.arange(CELLS * WIDTH, dtype=np.uint16).reshape(CELLS, WIDTH) + 1000 * layer
        data += struct.pack("=iII", 1, 2, WIDTH) if columns else struct.pack("=iQ", 1, 2 * WIDTH)
        data += (table.T if columns else table).tobytes()
    return memoryview(data)


@pytest.mark.parametrize("columns", [False, True])
def test_rows_become_columns_and_columns_rows(columns):
    state = written(columns=columns)
    assert len(list(transposed(state))) == LAYERS
    assert state == written(columns=not columns)


@pytest.mark.parametrize("end", [10, 40, 90, -1])
def test_what_is_cut_off_is_refused(end):
    with pytest.raises(EngineError, match="not laid out"):
        list(transposed(written(columns=False)[:end]))


def test_values_of_another_type_are_refused():
    state = written(columns=True)
    at = len(state) - LAYERS * (12 + 2 * CELLS * WIDTH)
    state[at : at + 4] = struct.pack("=i", 8)
    with pytest.raises(EngineError, match="not laid out"):
        list(transposed(state))


@pytest.mark.parametrize(("stream", "streams"), [(0, 1), (0, 4), (2, 4), (3, 4)])
def test_the_only_stream_is_any_of_several_and_the_first_one(stream, streams):
    only = bytes(written(columns=False))
    head, rest = only[:12], only[12:]
    several = struct.pack("=IiI", 0x1234, 7, streams)
    among = several + bytes(4 * stream) + rest + bytes(4 * (streams - 1 - stream))
    assert bytes(as_only(memoryview(bytearray(among)), stream, streams)) == head + rest

    first = memoryview(bytearray(only + b"x" * room_for(streams)))
    as_first(first, streams)
    assert bytes(first) == several + rest + bytes(4 * (streams - 1))
