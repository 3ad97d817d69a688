"""llama.cpp's context as the backend of the stepper: rows in, logits in memory, cells kept."""

import ctypes
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import llama_cpp as cpp
import numpy as np
import psutil

from actorllm.actors.runner.engine.attention import PLAIN_ROWS, pool_cells, takes_plain
from actorllm.actors.runner.engine.backend import Pause, Sampler
from actorllm.actors.runner.engine.batch import Batch
from actorllm.actors.runner.engine.batching import Order, Pass, Run
from actorllm.actors.runner.engine.cores import IdleCores
from actorllm.actors.runner.engine.matching import Matchers
from actorllm.actors.runner.engine.memory import new_state
from actorllm.actors.runner.engine.model import Model
from actorllm.actors.runner.engine.pinning import Pinning
from actorllm.actors.runner.engine.reader import Reader
from actorllm.actors.runner.engine.samplers import Samplers
from actorllm.actors.runner.engine.sampling import make_sampler
from actorllm.actors.runner.engine.store import State
from actorllm.actors.runner.engine.threads import ThreadTuner
from actorllm.actors.runner.engine.types import EngineError, EngineSettings, Work

__all__ = ["Context", "flash_attention_type", "kv_type", "open_context"]

_KV_TYPES = {"f16": cpp.GGML_TYPE_F16, "q8_0": cpp.GGML_TYPE_Q8_0, "q4_0": cpp.GGML_TYPE_Q4_0}

_READER_SHARE = 0.25
"""Of the free memory, what the cells of a reader may take, and once more as they are handed over."""
_NO_ROOM = 1
"""What `llama_decode` returns if the cells do not suffice."""


def kv_type(settings: EngineSettings) -> int:
    """Give ggml's number of the KV cells' type."""
    kind: int = _KV_TYPES[settings.kv_type]
    return kind


def flash_attention_type(settings: EngineSettings, *, on_cpu: bool, plain: bool = False) -> int:
    """Decide on flash attention; on the CPU it is what makes orderly passes possible."""
    wanted = settings.flash_attention
    if wanted == "auto" and on_cpu:
        wanted = "off" if plain else "on"
    kinds = {
        "on": cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED,
        "off": cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED,
        "auto": cpp.LLAMA_FLASH_ATTN_TYPE_AUTO,
    }
    kind: int = kinds[wanted]
    return kind


def open_context(model: Model, params: Any) -> Any:
    """Make a context and apply the adapters.

    Raises:
        EngineError: There is not enough memory, or an adapter does not fit.
    """
    handle = cpp.llama_init_from_model(model.handle, params)
    if not handle:
        raise EngineError(
            "there is not enough memory for the context; use a smaller num_ctx or fewer slots"
        )
    paths = model.settings.adapters
    if paths:
        adapters = (cpp.llama_adapter_lora_p_ctypes * len(paths))()
        for index, path in enumerate(paths):
            adapter = cpp.llama_adapter_lora_init(model.handle, path.encode())
            if not adapter:
                raise EngineError(f"adapter {index + 1} does not fit the model")
            adapters[index] = adapter
        scales = (ctypes.c_float * len(paths))(*([1.0] * len(paths)))
        cpp.llama_set_adapters_lora(handle, adapters, len(paths), scales)
    return handle


class Context:
    """A context for generation. Only the thread that made it may use it."""

    def __init__(self, model: Model, *, tune_threads: bool) -> None:
        settings = model.settings
        self._model = model
        self.threads = settings.threads
        self._tuner = ThreadTuner(settings.threads, IdleCores()) if tune_threads else None
        self._pinning = Pinning(wanted=model.on_cpu)
        self._pinning.use(self.threads)
        self._window = settings.num_ctx
        self.vocab = model.vocab
        params = cpp.llama_context_default_params()
        plain = model.on_cpu and takes_plain(settings, cpp.llama_model_n_head(model.handle))
        params.n_ctx = pool_cells(settings)
        params.n_seq_max = settings.slots
        params.n_batch = settings.num_batch + settings.slots
        params.n_ubatch = min(settings.num_batch, PLAIN_ROWS if plain else params.n_ubatch)
        params.n_threads = params.n_threads_batch = settings.threads
        params.flash_attn_type = flash_attention_type(settings, on_cpu=model.on_cpu, plain=plain)
        params.type_k = params.type_v = kv_type(settings)
        # One pool lets a pass mix rows of any sequences, and prefixes take no further cells. With
        # a stream for each sequence cells stay in the order of their positions, without which
        # equal prompts give unequal bits.
        params.kv_unified = settings.unified
        params.no_perf = True
        self._params = params
        self._context = open_context(model, params)
        self._memory = cpp.llama_get_memory(self._context)
        self._batch = Batch(settings.num_batch + settings.slots + 1)
        self._plan = Pass("decode", ())
        self._rows: Sequence[int] = ()
        """Of the plan, if it has a row of each slot: those that are no fillers."""
        self._fillers: Sequence[Run] = ()
        self.matchers = Matchers(self.vocab)
        self._samplers = Samplers(self._context, self.vocab, self.matchers)
        self.can_cut = not model.recurrent
        self._sliding = model.sliding
        self.can_cut_saved = self.can_cut and not self._sliding
        self.unified = settings.unified
        self.cells = int(params.n_ctx)
        self._streams = 1 if settings.unified else settings.slots  # of cells
        self._reader: Reader | None = None
        free_order = settings.unordered and not settings.unified
        self.reads_apart = model.on_cpu and free_order and self.can_cut_saved
        self.cell_bytes = 0
        self.can_shift = bool(cpp.llama_memory_can_shift(self._memory))
        self.flash_attention = params.flash_attn_type
        self.tiles = model.on_cpu and params.flash_attn_type == cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
        self.why_not_deterministic = self._why_not_deterministic()
        self.deterministic = not self.why_not_deterministic
        self.order = Order(
            model.weights.tiled_rows if model.tiles else 0,
            int(params.n_ubatch),
            pairs=self.deterministic and model.weights.floating,
        )
        self.bos = self.vocab.bos
        self.n_vocab = self.vocab.size

    def warm_up(self) -> None:
        """Evaluate two tokens, so that what does not work shows now.

        Raises:
            EngineError: The result is not a number.
        """
        token = max(self.bos, 0)
        self._batch.fill((Run(0, 0, (token, token), output=True),))
        self._evaluate()
        logits = np.ctypeslib.as_array(
            cpp.llama_get_logits_ith(self._context, 1), (self.vocab.size,)
        )
        if not np.isfinite(logits).any():
            raise EngineError("the model computes no valid numbers with these settings")
        self.cell_bytes = self.state_size(0) // 2
        cpp.llama_memory_clear(self._memory, False)

    def step_seconds(self, rows: int) -> float:
        """Measure a pass with one row for each of some slots; the cells are empty after it."""
        token = max(self.bos, 0)
        self._batch.fill([Run(slot, 0, (token,), output=True) for slot in range(rows)])
        began = time.perf_counter()
        self._evaluate()
        cpp.llama_synchronize(self._context)
        seconds = time.perf_counter() - began
        cpp.llama_memory_clear(self._memory, False)
        return seconds

    def decode(self, plan: Pass) -> None:
        """Evaluate the rows of a pass and forget its fillers.

        Raises:
            EngineError: There is no room for the rows; the cells are as they were.
            RuntimeError: The context is broken.
        """
        self._batch.fill(plan.runs, pairs=self.order.pairs)
        self._plan = plan
        self._rows = [row for row, run in enumerate(plan.runs) if not run.filler]
        self._fillers = [run for run in plan.runs if run.filler]
        self._run()

    def decode_on(self, tokens: Sequence[int]) -> None:
        self._batch.advance(self._rows, tokens)
        self._run()

    def _run(self) -> None:
        """Evaluate the batch of the plan, with the threads that are best for it."""
        tuner, decodes = self._tuner, self._plan.kind == "decode"
        if tuner is not None:  # a trial is made with short passes only
            self._use_threads(tuner.threads if decodes else tuner.home)
        began = time.perf_counter()
        self._evaluate()
        if tuner is not None and decodes:
            tuner.measured(self._batch.struct.n_tokens, time.perf_counter() - began)
        for run in self._fillers:
            cpp.llama_memory_seq_rm(self._memory, run.slot, run.position, -1)

    def _evaluate(self) -> None:
        result = cpp.llama_decode(self._context, self._batch.struct)
        if result == _NO_ROOM:
            raise EngineError("the KV cache is full")
        if result != 0:
            raise RuntimeError(f"llama_decode returned {result}")
        self._pinning.passed()

    def _use_threads(self, threads: int) -> None:
        if threads != self.threads:
            self.threads = threads
            self._pinning.use(threads)
            cpp.llama_set_n_threads(self._context, threads, threads)

    def cut(self, slot: int, length: int) -> bool:
        if not cpp.llama_memory_seq_rm(self._memory, slot, length, -1):
            return False
        # Layers with a sliding window may have given up cells that a shorter sequence would need.
        first = cpp.llama_memory_seq_pos_min(self._memory, slot)
        return not self._sliding or not length or first <= max(0, length - self._sliding)

    def copy(self, source: int, target: int, length: int) -> None:
        cpp.llama_memory_seq_rm(self._memory, target, -1, -1)
        if self.unified and self.can_cut:
            cpp.llama_memory_seq_cp(self._memory, source, target, 0, length)
            return
        if self.unified or not self.can_cut_saved:
            cpp.llama_memory_seq_cp(self._memory, source, target, -1, -1)
        else:
            # Between streams of cells, that would copy the whole window, and only before the next
            # pass, whatever becomes of the source until then.
            data = self.save(source)
            if data is None or not self.restore(target, data):
                raise RuntimeError("the state of a sequence could not be copied")
        cpp.llama_memory_seq_rm(self._memory, target, length, -1)

    def state_size(self, slot: int) -> int:
        size: int = cpp.llama_state_seq_get_size(self._context, slot)
        return size

    def save(self, slot: int) -> State | None:
        data = new_state(self.state_size(slot))
        if not data:
            return None
        buffer = (ctypes.c_uint8 * len(data)).from_buffer(data)
        written = cpp.llama_state_seq_get_data(self._context, buffer, len(data), slot)
        return data if written == len(data) else None

    def restore(self, slot: int, data: State) -> bool:
        size = len(data)
        buffer = (ctypes.c_uint8 * size).from_buffer(data)
        if cpp.llama_state_seq_set_data(self._context, buffer, size, slot) == size:
            return True
        cpp.llama_memory_seq_rm(self._memory, slot, -1, -1)
        return False

    def prepare_apart(self) -> bool:
        cells = self.cells // self._streams
        if cells * self.cell_bytes > psutil.virtual_memory().available * _READER_SHARE:
            return False
        open_one = partial(open_context, self._model)
        with suppress(EngineError):  # llama.cpp has logged it
            self._reader = Reader(open_one, self._params, cells=cells, streams=self._streams)
        return self._reader is not None

    def read_apart(self, slot: int, tokens: Sequence[int], position: int, pause: Pause) -> bool:
        reader = self._reader
        assert reader is not None

        def threads() -> int:
            self._use_threads(self._tuner.home if self._tuner else self.threads)
            return self.threads

        def paused(done: int, seconds: float) -> bool:
            used = self.threads
            goes_on = pause(done, seconds)
            self._use_threads(used)  # a pass may have had others
            return goes_on

        known = self.save(slot) if position else None
        state = reader.read(tokens, known, slot, position=position, threads=threads, pause=paused)
        if state is None:
            return False
        self.cut(slot, 0)
        if not self.restore(slot, state):
            raise EngineError("the cells of a prompt could not be handed over")
        return True

    def shift(self, slot: int, keep: int, discard: int) -> None:
        cpp.llama_memory_seq_rm(self._memory, slot, keep, keep + discard)
        cpp.llama_memory_seq_add(self._memory, slot, keep + discard, -1, -discard)

    def sampler(self, work: Work) -> Sampler:
        return make_sampler(self._samplers, work, work.window or self._window)

    def piece(self, token: int) -> bytes | None:
        return None if self.vocab.ends(token) else self.vocab.piece(token)

    def free(self) -> None:
        self._samplers.free()
        if self._reader is not None:
            self._reader.free()
        cpp.llama_free(self._context)

    def _why_not_deterministic(self) -> str:
        model = self._model
        if not model.on_cpu:
            return "a GPU's sums depend on what is computed beside them"
        if self.unified:
            return "this load shares its cells between requests"
        if model.settings.unordered:
            return "this load computes in whatever order is fastest"
        if self.flash_attention != cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED:
            return "flash attention is off"
        if model.recurrent:
            return "recurrent states depend on how a prompt was split"
        if model.experts:
            return "mixtures of experts are not proven to be"
        if not model.same_bits:
            return "this type of weights needs a load with deterministic settings"
        return ""
