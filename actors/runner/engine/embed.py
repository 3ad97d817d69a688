"""Embeddings: inputs in batches to one pooled vector each."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from itertools import accumulate, islice
from queue import SimpleQueue
from typing import Any, Literal

import attrs
import llama_cpp as cpp
import numpy as np

from actorllm.actors.runner.engine.batch import Batch
from actorllm.actors.runner.engine.batching import Run
from actorllm.actors.runner.engine.context import flash_attention_type, open_context
from actorllm.actors.runner.engine.model import Model
from actorllm.actors.runner.engine.pairing import Pairing
from actorllm.actors.runner.engine.pinning import Pinning
from actorllm.actors.runner.engine.types import EngineError, EngineStats, SlotStats

__all__ = ["Embedder", "Pooling", "Vectors", "share"]

Vector = tuple[float, ...]
Vectors = tuple[Vector, ...]

Pooling = Literal["none", "mean", "cls", "last", "rank"]

_POOLING: dict[int, Pooling] = {
    cpp.LLAMA_POOLING_TYPE_NONE: "none",
    cpp.LLAMA_POOLING_TYPE_MEAN: "mean",
    cpp.LLAMA_POOLING_TYPE_CLS: "cls",
    cpp.LLAMA_POOLING_TYPE_LAST: "last",
    cpp.LLAMA_POOLING_TYPE_RANK: "rank",
}


def share(waiting: Sequence[Sequence[int]], *, rows: int, sequences: int) -> tuple[int, ...]:
    """Share a batch among requests, one input of each in turn.

    Args:
        waiting: The lengths of the inputs of each request, in order; none is above `rows`.
        rows: Tokens of a batch.
        sequences: Inputs of a batch.

    Returns:
        How many inputs of each request go into the batch; at least one if any waits.
    """
    taken = [0] * len(waiting)
    open_ = [i for i, lengths in enumerate(waiting) if lengths]
    while open_ and sequences:
        for i in list(open_):
            lengths = waiting[i]
            if not sequences or lengths[taken[i]] > rows:
                open_.remove(i)
                continue
            rows -= lengths[taken[i]]
            sequences -= 1
            taken[i] += 1
            if taken[i] == len(lengths):
                open_.remove(i)
    return tuple(taken)


@attrs.define(eq=False)
class _Request:
    """Inputs that wait for their vectors."""

    inputs: Sequence[Sequence[int]]
    normalize: bool
    result: "Future[Vectors]"
    vectors: list[Vector] = attrs.Factory(list)

    @property
    def lengths(self) -> list[int]:
        """Of the inputs that are left."""
        return [len(tokens) for tokens in self.inputs[len(self.vectors) :]]

    def take(self, count: int) -> Sequence[Sequence[int]]:
        return self.inputs[len(self.vectors) : len(self.vectors) + count]


class Embedder:
    """A context for embeddings, whose batches hold the inputs of all requests that wait.

    `submit` and `stats` may be called from any thread; the rest is for the thread that made it.
    """

    def __init__(self, model: Model) -> None:
        settings = model.settings
        self._rows = settings.num_batch
        self._sequences = settings.slots
        self._longest = min(settings.num_ctx, settings.num_batch)
        self._pinning = Pinning(wanted=model.on_cpu)
        self._pinning.use(settings.threads)
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
        self._threads = settings.threads
        self._new: SimpleQueue[_Request] = SimpleQueue()
        self._waiting: list[_Request] = []
        self._batches = self._tokens = 0
        self._seconds = self._rate = 0.0
        """Of the last batch, and its tokens per second."""
        self.pooling: Pooling = _POOLING.get(cpp.llama_pooling_type(self._context), "none")
        ranks = self.pooling == "rank"
        self.dimensions: int = (
            cpp.llama_model_n_cls_out(model.handle)
            if ranks
            else cpp.llama_model_n_embd_out(model.handle)
        )
        self.pairing = _pairing(model) if ranks else Pairing()

    def submit(self, inputs: Sequence[Sequence[int]], *, normalize: bool) -> "Future[Vectors]":
        """Let inputs wait for their vectors. Cancelling the future leaves out what is left.

        Raises:
            EngineError: An input is empty or too long.
        """
        for tokens in inputs:
            if not tokens:
                raise EngineError("an input has no tokens")
            if len(tokens) > self._longest:
                raise EngineError(
                    f"an input has {len(tokens)} tokens, but at most {self._longest} fit;"
                    " shorten it or raise num_ctx and num_batch"
                )
        request = _Request(inputs, normalize and self.pooling != "rank", Future())
        self._new.put(request)
        return request.result

    def step(self) -> bool:
        """Compute one batch; tell whether there may be more to do."""
        self._admit()
        counts = share(
            [request.lengths for request in self._waiting],
            rows=self._rows,
            sequences=self._sequences,
        )
        taken = [(r, r.take(n)) for r, n in zip(self._waiting, counts, strict=True) if n]
        try:
            self._compute(taken)
        except EngineError as e:
            for request, _ in taken:
                _settle(request, e)
        for request in self._waiting:
            if len(request.vectors) == len(request.inputs):
                _settle(request)
        self._waiting = [r for r in self._waiting if not r.result.done()]
        return bool(self._waiting)

    def stats(self) -> EngineStats:
        """Report how far it is; the one slot stands for the batch, which computes while any waits."""
        waiting = len(self._waiting)
        return EngineStats(
            slots=(SlotStats(0, None, 0, "prefill" if waiting else "idle"),),
            queued=waiting + self._new.qsize(),
            cells_used=0,
            cells=self._rows,
            prompt_tokens=self._tokens,
            cached_tokens=0,
            generated_tokens=0,
            passes=self._batches,
            prefill_rate=self._rate,
            decode_rate=0.0,
            last_pass_seconds=self._seconds,
            threads=self._threads,
        )

    def fail(self, error: EngineError) -> None:
        """Answer all that wait with an error."""
        self._admit()
        for request in self._waiting:
            _settle(request, error)
        self._waiting.clear()

    def _admit(self) -> None:
        while not self._new.empty():
            self._waiting.append(self._new.get())
        self._waiting = [r for r in self._waiting if not r.result.done()]

    def _compute(self, taken: Sequence[tuple[_Request, Sequence[Sequence[int]]]]) -> None:
        inputs = [tokens for _, part in taken for tokens in part]
        if not inputs:
            return
        began = time.perf_counter()
        self._decode(inputs)
        self._count(inputs, time.perf_counter() - began)
        self._pinning.passed()
        rows = iter(enumerate(accumulate(len(tokens) for tokens in inputs)))
        for request, part in taken:
            places = list(islice(rows, len(part)))
            try:
                request.vectors += [
                    _vector(self._read(index, end - 1), normalize=request.normalize)
                    for index, end in places
                ]
            except EngineError as e:  # the others of the batch are well
                _settle(request, e)

    def _count(self, inputs: Sequence[Sequence[int]], seconds: float) -> None:
        tokens = sum(map(len, inputs))
        self._batches += 1
        self._tokens += tokens
        self._seconds, self._rate = seconds, tokens / seconds

    def free(self) -> None:
        cpp.llama_free(self._context)

    def _decode(self, inputs: Sequence[Sequence[int]]) -> None:
        memory = cpp.llama_get_memory(self._context)
        if memory:
            cpp.llama_memory_clear(memory, False)
        self._batch.fill([Run(index, 0, tuple(tokens)) for index, tokens in enumerate(inputs)])
        # Pooling reads every row, so every row is an output.
        self._batch.output[: self._batch.struct.n_tokens] = 1
        if cpp.llama_decode(self._context, self._batch.struct) != 0:
            raise EngineError("the inputs cannot be embedded")

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


def _settle(request: _Request, error: EngineError | None = None) -> None:
    """Answer a request, unless it was given up meanwhile."""
    with suppress(InvalidStateError):
        if error is None:
            request.result.set_result(tuple(request.vectors))
        else:
            request.result.set_exception(error)


def _pairing(model: Model) -> Pairing:
    template = cpp.llama_model_chat_template(model.handle, b"rerank")
    if template:
        pairing = Pairing(template=template.decode("utf-8", "replace"))
        if pairing.usable:
            return pairing
    vocab = model.vocab
    one_separator = cpp.llama_vocab_type(vocab.handle) == cpp.LLAMA_VOCAB_TYPE_WPM
    if one_separator or not (vocab.add_bos and vocab.add_eos):
        return Pairing()
    separator = cpp.llama_vocab_sep(vocab.handle)
    return Pairing(between=(separator if separator >= 0 else vocab.eos,))
