"""A second context of a model: it evaluates a long prompt, and others may compute meanwhile.

llama.cpp evaluates a batch in one go, and small batches take longer for each row than large ones. But
between the nodes of a batch's graph it asks whether to go on, and then another context of the same
model can evaluate something: they share the weights. So a large batch gives way at any time.

The cells that come of it are handed over as the state of a sequence. They are computed with flash
attention, which is quick in batches of many rows, whatever the other context has.
"""

import ctypes
import time
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from typing import Any

import llama_cpp as cpp

from actorllm.actors.runner.engine.backend import Pause
from actorllm.actors.runner.engine.batch import Batch
from actorllm.actors.runner.engine.batching import Run
from actorllm.actors.runner.engine.handover import as_first, as_only, room_for, transposed
from actorllm.actors.runner.engine.memory import new_state
from actorllm.actors.runner.engine.store import State
from actorllm.actors.runner.engine.types import EngineError

__all__ = ["Reader"]

_ROWS = 128
"""Of a batch, at most."""
_NODES = 4
"""Nodes of the graph between two pauses. A layer has some thirty, of which four or so take time."""


class Reader:
    """Has one sequence. Only the thread that made it may use it.

    Args:
        open_context: Makes a context of parameters.
        params: Of the context for which it reads.
        cells: Of the sequence.
        streams: Of cells, in the context for which it reads.

    Raises:
        EngineError: There is not enough memory.
    """

    def __init__(
        self, open_context: Callable[[Any], Any], params: Any, *, cells: int, streams: int
    ) -> None:
        self._streams = streams
        self._transposes = params.flash_attn_type != cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
        self._asked = cpp.ggml_backend_sched_eval_callback(self._ask)
        own = type(params).from_buffer_copy(params)
        own.n_ctx, own.n_seq_max = cells, 1
        own.n_batch = own.n_ubatch = _ROWS
        own.flash_attn_type = cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
        own.cb_eval = self._asked
        self._context = open_context(own)
        self._memory = cpp.llama_get_memory(self._context)
        self._batch = Batch(_ROWS)
        self._pause: Callable[[float], bool] = lambda _: True
        self._nodes = 0
        self._since = 0.0
        self._took: list[float] = []
        """Seconds before each pause of the batch that is evaluated."""
        self._last: list[float] = []
        """Of the batch before, which is a measure of what will come."""
        self._goes_on = True
        self._error: BaseException | None = None

    def read(
        self,
        tokens: Sequence[int],
        known: State | None,
        slot: int,
        *,
        position: int,
        threads: Callable[[], int],
        pause: Pause,
    ) -> State | None:
        """Evaluate tokens, behind those that are known.

        Args:
            tokens: One or more.
            known: The state of a sequence in the other context; it is overwritten.
            slot: Its number.
            position: Of the first token.
            threads: Says before each batch how many compute.
            pause: Called some hundred times for each batch, and before and after copies.

        Returns:
            The state for any sequence of the other context, in which the others have no cells of
            it; None if it was given up.

        Raises:
            EngineError: It cannot be.
        """
        cpp.llama_memory_clear(self._memory, False)
        if not pause(0, inf) or (known is not None and not self._take(known, slot, pause)):
            return None
        batches = -(-len(tokens) // _ROWS)
        for number in range(batches):  # of one size: few rows take long for each
            done, end = (len(tokens) * part // batches for part in (number, number + 1))
            self._batch.fill((Run(0, position + done, tuple(tokens[done:end])),))
            self._pause = partial(pause, done)
            count = threads()
            cpp.llama_set_n_threads(self._context, count, count)
            if not self._evaluate():
                return None
        return self._give(partial(pause, len(tokens)))

    def _take(self, state: State, slot: int, pause: Pause) -> bool:
        state = as_only(state, slot, self._streams)
        if not self._transpose(state, partial(pause, 0)):
            return False
        buffer = (ctypes.c_uint8 * len(state)).from_buffer(state)
        if cpp.llama_state_seq_set_data(self._context, buffer, len(state), 0) != len(state):
            raise EngineError("the known cells of a prompt could not be handed over")
        return pause(0, inf)

    def _give(self, pause: Callable[[float], bool]) -> State | None:
        if not pause(inf):
            return None
        size = cpp.llama_state_seq_get_size(self._context, 0)
        data = new_state(size + room_for(self._streams))
        buffer = (ctypes.c_uint8 * size).from_buffer(data)
        if not size or cpp.llama_state_seq_get_data(self._context, buffer, size, 0) != size:
            raise EngineError("the cells of a prompt could not be had")
        if not (pause(inf) and self._transpose(data[:size], pause)):
            return None
        as_first(data, self._streams)
        return data if pause(inf) else None

    def _transpose(self, state: State, pause: Callable[[float], bool]) -> bool:
        return not self._transposes or all(pause(0.0) for _ in transposed(state))

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

    def free(self) -> None:
        cpp.llama_free(self._context)
