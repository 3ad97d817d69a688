"""Embeddings: inputs in batches to one pooled vector each."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import llama_cpp as cpp
import numpy as np

from actorllm.actors.runner.engine.batching import Run
from actorllm.actors.runner.engine.context import Batch, flash_attention_type, open_context
from actorllm.actors.runner.engine.model import Model
from actorllm.actors.runner.engine.types import EngineError

__all__ = ["Embedder", "Pooling", "pack"]

Pooling = Literal["none", "mean", "cls", "last", "rank"]

_POOLING: dict[int, Pooling] = {
    cpp.LLAMA_POOLING_TYPE_NONE: "none",
    cpp.LLAMA_POOLING_TYPE_MEAN: "mean",
    cpp.LLAMA_POOLING_TYPE_CLS: "cls",
    cpp.LLAMA_POOLING_TYPE_LAST: "last",
    cpp.LLAMA_POOLING_TYPE_RANK: "rank",
}


def pack(lengths: Sequence[int], *, rows: int, sequences: int) -> Iterator[tuple[int, int]]:
    """Split inputs, in order, into batches; yield each one's first index and its end."""
    begin = used = 0
    for index, length in enumerate(lengths):
        if index > begin and (used + length > rows or index - begin == sequences):
            yield begin, index
            begin, used = index, 0
        used += length
    if begin < len(lengths):
        yield begin, len(lengths)


class Embedder:
    """A context for embeddings. Only the thread that made it may use it."""

    def __init__(self, model: Model) -> None:
        settings = model.settings
        self._sequences = settings.slots
        self._longest = min(settings.num_ctx, settings.num_batch)
        params = cpp.llama_context_default_params()
        # An input must fit into one physical batch, since its rows see each other both ways.
        params.n_ctx = params.n_batch = params.n_ubatch = settings.num_batch
        params.n_seq_max = settings.slots
        params.n_threads = params.n_threads_batch = settings.threads
        params.flash_attn_type = flash_attention_type(settings, on_cpu=False)
        params.embeddings = True
        params.kv_unified = True
        params.no_perf = True
        self._context = open_context(model, params)
        self._batch = Batch(settings.num_batch)
        self.pooling: Pooling = _POOLING.get(cpp.llama_pooling_type(self._context), "none")
        self.dimensions: int = cpp.llama_model_n_embd_out(model.handle)

    def embed(
        self, inputs: Sequence[Sequence[int]], *, normalize: bool
    ) -> tuple[tuple[float, ...], ...]:
        """Compute one vector for each input.

        Raises:
            EngineError: An input is empty or too long, or a vector is not a number.
        """
        for tokens in inputs:
            if not tokens:
                raise EngineError("an input has no tokens")
            if len(tokens) > self._longest:
                raise EngineError(
                    f"an input has {len(tokens)} tokens, but at most {self._longest} fit;"
                    " shorten it or raise num_ctx and num_batch"
                )
        vectors: list[tuple[float, ...]] = []
        lengths = [len(tokens) for tokens in inputs]
        for begin, end in pack(lengths, rows=self._longest, sequences=self._sequences):
            vectors += self._embed_batch(inputs[begin:end], normalize=normalize)
        return tuple(vectors)

    def free(self) -> None:
        cpp.llama_free(self._context)

    def _embed_batch(
        self, inputs: Sequence[Sequence[int]], *, normalize: bool
    ) -> list[tuple[float, ...]]:
        memory = cpp.llama_get_memory(self._context)
        if memory:
            cpp.llama_memory_clear(memory, False)
        self._batch.fill([Run(index, 0, tuple(tokens)) for index, tokens in enumerate(inputs)])
        # Pooling reads every row, so every row is an output.
        self._batch.output[: self._batch.struct.n_tokens] = 1
        if cpp.llama_decode(self._context, self._batch.struct) != 0:
            raise EngineError("the inputs cannot be embedded")
        last_rows = np.cumsum([len(tokens) for tokens in inputs]) - 1
        return [
            _vector(self._read(index, int(row)), normalize=normalize)
            for index, row in enumerate(last_rows)
        ]

    def _read(self, sequence: int, last_row: int) -> Any:
        if self.pooling == "none":
            pointer = cpp.llama_get_embeddings_ith(self._context, last_row)
        else:
            pointer = cpp.llama_get_embeddings_seq(self._context, sequence)
        if not pointer:
            raise EngineError("the model gave no embedding")
        return np.ctypeslib.as_array(pointer, (self.dimensions,))


def _vector(values: Any, *, normalize: bool) -> tuple[float, ...]:
    wide = values.astype(np.float64)
    if not np.isfinite(wide).all():
        raise EngineError("embedding contains NaN or Inf values")
    norm = float(np.sqrt((wide * wide).sum()))
    if normalize and norm > 0:
        wide /= norm
    return tuple(wide.astype(np.float32).tolist())
