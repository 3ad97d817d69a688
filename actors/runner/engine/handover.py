"""What is changed in the state of a sequence, so that a context of another layout takes its cells.

llama.cpp writes a state so, without gaps, numbers of four bytes unless another size is said:

    a magic number, the sequence, how many streams of cells there are
    of each stream how many cells it has; of one that has any also
        of each cell its position, how many sequences have it, and which
        whether values are transposed, how many layers there are
        of each layer the type of its keys, the bytes of a row (eight bytes), and a row for each cell
        of each layer with values their type and
            the bytes of a row (eight bytes), and a row for each cell; or, transposed,
            the bytes of a value, how many make a row, and as many columns of a value for each cell

Flash attention wants rows of values, the plain one columns.
"""

import struct
from collections.abc import Iterator

import numpy as np

from actorllm.actors.runner.engine.store import State
from actorllm.actors.runner.engine.types import EngineError

__all__ = ["as_first", "as_only", "room_for", "transposed"]

_HEAD = struct.Struct("=IiI")
_COUNT = struct.Struct("=I")
_CELL = struct.Struct("=iIi")
_LAYERS = struct.Struct("=II")
_ROWS = struct.Struct("=iQ")
_COLUMNS = struct.Struct("=iII")
_HALF = 1
"""ggml's number of the type of values with two bytes."""


def as_only(state: State, stream: int, streams: int) -> State:
    """Make the state of the only stream of cells out of that of one among several.

    Args:
        state: It is overwritten.
        stream: Whose cells they are.
        streams: How many there are; the others have no cells of the sequence.
    """
    magic, sequence, _ = _HEAD.unpack_from(state)
    only = state[_COUNT.size * stream : len(state) - _COUNT.size * (streams - 1 - stream)]
    _HEAD.pack_into(only, 0, magic, sequence, 1)
    return only


def room_for(streams: int) -> int:
    """Give the bytes that `as_first` needs at the end of a state."""
    return _COUNT.size * (streams - 1)


def as_first(state: State, streams: int) -> None:
    """Make the state of the only stream of cells that of the first one of several.

    Args:
        state: With room at its end.
        streams: How many there are to be.
    """
    magic, sequence, _ = _HEAD.unpack_from(state)
    _HEAD.pack_into(state, 0, magic, sequence, streams)
    room = room_for(streams)
    state[len(state) - room :] = bytes(room)


def transposed(state: State) -> Iterator[None]:
    """Make columns of the rows of values, or the other way round; a layer for each item.

    Args:
        state: Of the only stream of cells, of which there are some.

    Raises:
        EngineError: It is not laid out as it should be, or its values have not two bytes.
    """
    try:
        yield from _transposed(state)
    except (struct.error, ValueError):
        raise EngineError("the cells of a prompt are not laid out as they were expected") from None


def _transposed(state: State) -> Iterator[None]:
    (count,) = _COUNT.unpack_from(state, _HEAD.size)
    at = _HEAD.size + _COUNT.size + count * _CELL.size
    columns, layers = _LAYERS.unpack_from(state, at)
    _LAYERS.pack_into(state, at, not columns, layers)
    at += _LAYERS.size
    for _ in range(layers):
        _, row = _ROWS.unpack_from(state, at)
        at += _ROWS.size + count * row
    while at < len(state):
        if columns:
            kind, size, width = _COLUMNS.unpack_from(state, at)
            _ROWS.pack_into(state, at, kind, size * width)
        else:
            kind, row = _ROWS.unpack_from(state, at)
            size, width = 2, row // 2
            _COLUMNS.pack_into(state, at, kind, size, width)
        if (columns, kind, size) not in {(0, _HALF, 2), (1, _HALF, 2)}:
            raise ValueError("these are no values of two bytes")
        at += _ROWS.size
        values = np.frombuffer(state[at : at + 2 * count * width], np.uint16)
        table = values.reshape((width, count) if columns else (count, width))
        values[:] = table.T.ravel()
        at += 2 * count * width
        yield
