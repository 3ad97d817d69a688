"""A second context of a model: it evaluates a long prompt, and others may compute meanwhile.

llama.cpp evaluates a batch in one go, and small batches take longer for each row than large ones. But
between the nodes of a batch's graph it asks whether to go on, and then another context of the same
model can evaluate something: they share the weights. So a large batch gives way at any time.

The cells that come of it are handed over as the state of a sequence.
"""

import ctypes
import struct
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import llama_cpp as cpp

from actorllm.actors.runner.engine.attention import PLAIN_ROWS
from actorllm.actors.runner.engine.backend import Pause
from actorllm.actors.runner.engine.batch import Batch
from actorllm.actors.runner.engine.batching import Run
from actorllm.actors.runner.engine.memory import new_state
from actorllm.actors.runner.engine.store import State
from actorllm.actors.runner.engine.types import EngineError

__all__ = ["Reader"]

_NODES = 4
"""Nodes of the graph between two pauses. A layer has some thirty, of which four or so take time."""
_HEAD = struct.Struct("=IiI")
"""How llama.cpp begins the state of a sequence: a magic number, the sequence, the streams of cells."""
_COUNT = 4
"""Bytes of the number of cells, which is there for each stream, and all that is of an empty one."""


def _alone(state: State, stream: int, streams: int) -> State:
    """Make the state of the only stream of cells out of that of one among several.

    Args:
        state: It is overwritten.
        stream: Whose cells they are.
        streams: How many there are.
    """
    magic, _, _ = _HEAD.unpack_from(state)
    others_behind = streams - 1 - stream
    rest = state[_COUNT * stream : len(state) - _COUNT * others_behind]
    _HEAD.pack_into(rest, 0, magic, 0, 1)
    return rest


def _among(state: State, streams: int) -> None:
    """Make the state of the only stream of cells that of the first one of several.

    Args:
        state: With room for the counts of the others.
        streams: How many there are to be.
    """
    magic, sequence, _ = _HEAD.unpack_from(state)
    _HEAD.pack_into(state, 0, magic, sequence, streams)
    others = _COUNT * (streams - 1)
    state[len(state) - others :] = bytes(others)


class Reader:
    """Has one sequence. Only the thread that made it may use it.

    Args:
        open_context: Makes a context of parameters.
        params: Of the context for which it reads.
        cells: Of the sequence.
        streams: Of cells, in the context for which it reads.
        rows: Most of a batch.

    Raises:
        EngineError: There is not enough memory.
    """

    def __init__(
        self,
        open_context: Callable[[Any], Any],
        params: Any,
        *,
        cells: int,
        streams: int,
        rows: int = PLAIN_ROWS,
    ) -> None:
        self._streams = streams
        self._asked = cpp.ggml_backend_sched_eval_callback(self._ask)
        own = type(params).from_buffer_copy(params)
        own.n_ctx, own.n_seq_max = cells, 1
        own.n_batch = own.n_ubatch = self._rows = rows
        own.cb_eval = self._asked
        self._context = open_context(own)
        self._memory = cpp.llama_get_memory(self._context)
        self._batch = Batch(rows)
        self._pause: Callable[[float], bool] = lambda _: True
        self._nodes = 0
        self._since = 0.0
        self._took: list[float] = []
        """Seconds before each pause of the batch that is evaluated."""
        self._last: list[float] = []
        """Of the batch before, which is a measure of what will come."""
        self._goes_on = True
        self._error: BaseException | None = None

    def begin(self, state: State | None, stream: int, threads: int) -> None:
        """Forget all cells, and take those of the context for which it reads, if it gives any.

        Args:
            state: Of a sequence; it is overwritten.
            stream: The cells' stream.
            threads: That compute.

        Raises:
            EngineError: They do not fit.
        """
        cpp.llama_set_n_threads(self._context, threads, threads)
        cpp.llama_memory_clear(self._memory, False)
        if state is None:
            return
        state = _alone(state, stream, self._streams)
        buffer = (ctypes.c_uint8 * len(state)).from_buffer(state)
        if cpp.llama_state_seq_set_data(self._context, buffer, len(state), 0) != len(state):
            raise EngineError("the cells of a prompt could not be handed over")

    def read(self, tokens: Sequence[int], position: int, pause: Pause) -> bool:
        """Evaluate tokens behind those that are there.

        Args:
            tokens: They fit.
            position: Of the first one.
            pause: Called some hundred times for each batch.

        Returns:
            False if it was given up.

        Raises:
            EngineError: They could not be evaluated.
        """
        for done in range(0, len(tokens), self._rows):
            self._pause = partial(pause, done)
            part = tuple(tokens[done : done + self._rows])
            self._batch.fill((Run(0, position + done, part),))
            if not self._evaluate():
                return False
        return True

    def _evaluate(self) -> bool:
        self._nodes, self._took, self._goes_on = 0, [], True
        self._since = time.perf_counter()
        result = cpp.llama_decode(self._context, self._batch.struct)
        error, self._error = self._error, None
        if error is not None:
            raise error
        if self._goes_on and result != 0:
            raise EngineError("a prompt could not be evaluated beside running streams")
        self._last = self._took
        return self._goes_on

    def _ask(self, _tensor: Any, ask: bool, _data: Any) -> bool:
        """Answer llama.cpp: whether to come back after a node; or whether to go on, after it."""
        if ask:
            self._nodes += 1
            return self._nodes % _NODES == 0
        self._took.append(time.perf_counter() - self._since)
        coming = len(self._took)
        try:
            self._goes_on = self._pause(self._last[coming] if coming < len(self._last) else 0.0)
        except BaseException as e:  # noqa: BLE001 -- it is raised again outside of llama.cpp
            self._error, self._goes_on = e, False
        self._since = time.perf_counter()
        return self._goes_on

    def state(self) -> State:
        """Give the cells as the context for which it reads takes them, whatever its sequence.

        Raises:
            EngineError: They cannot be had.
        """
        size = cpp.llama_state_seq_get_size(self._context, 0)
        data = new_state(size + _COUNT * (self._streams - 1))
        buffer = (ctypes.c_uint8 * size).from_buffer(data)
        if not size or cpp.llama_state_seq_get_data(self._context, buffer, size, 0) != size:
            raise EngineError("the cells of a prompt could not be had")
        _among(data, self._streams)
        return data

    def free(self) -> None:
        cpp.llama_free(self._context)
