"""The bare loop: llama.cpp, a prepared batch and a sampler. What the machine can give at most."""

import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import attrs
import llama_cpp as cpp

from actorllm.actors.runner.engine.batch import Batch
from actorllm.actors.runner.engine.batching import Run
from actorllm.actors.runner.engine.context import open_context
from actorllm.actors.runner.engine.cores import usable_cores
from actorllm.actors.runner.engine.model import load_model
from actorllm.actors.runner.engine.types import EngineSettings
from actorllm.actors.runner.engine.windows import padded

__all__ = ["Times", "Work", "best", "generate"]

_ROWS = 512
"""Most rows of a `llama_decode`, as with the daemon's defaults."""


@attrs.frozen(kw_only=True)
class Work:
    """Streams that are generated side by side, each from a prompt of its own."""

    path: Path
    streams: int
    prompt: int
    """Tokens of each stream's own prompt."""
    shared: int = 0
    """Tokens before it that all streams have in common: evaluated once, and copied."""
    tokens: int
    """To be generated in each stream."""
    seconds: float = 60.0
    """Generating stops after so long, and `Times.tokens` says how far it came."""


@attrs.frozen(kw_only=True)
class Times:
    """How long it took."""

    prompts: float
    """Seconds until all streams have their first token."""
    rest: float
    """Seconds from there to the end."""
    tokens: int
    """Generated in all."""
    threads: int

    @property
    def total(self) -> float:
        return self.prompts + self.rest

    @property
    def rate(self) -> float:
        """Tokens per second, without the prompts' time and the first tokens."""
        return self.tokens / self.rest if self.rest else 0.0


def best(work: Work) -> Times:
    """Return the faster of a loop with a thread for each core and one with a single thread.

    Prompts alone, with hardly a token behind them, are always faster with all cores.
    """

    def run(threads: int) -> Times:
        # A process for each: threads that a loop left behind would slow down the next one.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            return pool.submit(generate, work, threads).result()

    counts = {usable_cores()} if work.tokens == 1 else {1, usable_cores()}
    times = [run(threads) for threads in sorted(counts)]
    return min(times, key=lambda one: (one.total / max(one.tokens, 1), one.threads))


def generate(work: Work, threads: int) -> Times:
    """Run the loop; only in a process of its own."""
    loop = _Loop(work, threads)
    began = time.perf_counter()
    firsts = loop.read_prompts()
    after_prompts = time.perf_counter()
    tokens = loop.generate(firsts, after_prompts + work.seconds)
    return Times(
        prompts=after_prompts - began,
        rest=time.perf_counter() - after_prompts,
        tokens=tokens,
        threads=threads,
    )


class _Loop:
    def __init__(self, work: Work, threads: int) -> None:
        self._work = work
        self._model = load_model(EngineSettings(model_path=str(work.path), threads=threads))
        self._context = open_context(self._model, _parameters(work, threads))
        self._memory = cpp.llama_get_memory(self._context)
        self._batch = Batch(max(_ROWS, work.streams))
        self._chains = [sampler(seed) for seed in range(work.streams)]
        self._decode([Run(0, 0, (5, 5), output=True)])  # allocates, and wakes the threads
        cpp.llama_memory_clear(self._memory, False)

    def read_prompts(self) -> list[int]:
        """Evaluate all prompts; return the first token of each stream."""
        work = self._work
        for at in range(0, work.shared, _ROWS):
            self._decode([Run(0, at, _text(at, min(at + _ROWS, work.shared)), output=False)])
        if work.shared:
            for slot in range(1, work.streams):
                cpp.llama_memory_seq_cp(self._memory, 0, slot, -1, -1)
        firsts: list[int] = []
        for runs in packed(work):
            self._decode(runs)
            row = -1
            for run in runs:
                row += len(run.tokens)
                if run.output:
                    firsts.append(self._sample(len(firsts), row))
        return firsts

    def generate(self, firsts: Sequence[int], deadline: float) -> int:
        """Generate until all have their tokens or the time is over; return how many came."""
        work, batch = self._work, self._batch
        position = work.shared + work.prompt
        batch.fill([Run(slot, position, (t,), output=True) for slot, t in enumerate(firsts)])
        for step in range(1, work.tokens):
            if time.perf_counter() > deadline:
                return (step - 1) * work.streams
            self._evaluate()
            for row in range(work.streams):
                batch.token[row] = self._sample(row, row)
                batch.pos[row] += 1
        return (work.tokens - 1) * work.streams

    def _sample(self, slot: int, row: int) -> int:
        return int(cpp.llama_sampler_sample(self._chains[slot], self._context, row))

    def _decode(self, runs: Sequence[Run]) -> None:
        self._batch.fill(runs)
        self._evaluate()

    def _evaluate(self) -> None:
        assert cpp.llama_decode(self._context, self._batch.struct) == 0


def packed(work: Work) -> list[list[Run]]:
    """Split the streams' own prompts over as few batches as they fit into."""
    batches: list[list[Run]] = []
    room = 0
    for slot in range(work.streams):
        at = work.shared
        end = at + work.prompt
        while at < end:
            if not room:
                batches.append([])
                room = _ROWS
            to = min(end, at + room)
            # The slot's number makes prompts differ.
            batches[-1].append(Run(slot, at, _text(at + slot, to + slot), output=to == end))
            room -= to - at
            at = to
    return batches


def sampler(seed: int) -> Any:
    """Make the chain of the default options."""
    chain = cpp.llama_sampler_chain_init(cpp.llama_sampler_chain_default_params())
    for link in (
        cpp.llama_sampler_init_top_k(40),
        cpp.llama_sampler_init_top_p(0.9, 1),
        cpp.llama_sampler_init_temp(0.8),
        cpp.llama_sampler_init_dist(seed),
    ):
        cpp.llama_sampler_chain_add(chain, link)
    return chain


def _text(begin: int, end: int) -> tuple[int, ...]:
    """Any tokens, the same at the same place."""
    return tuple(100 + at % 1000 for at in range(begin, end))


def _parameters(work: Work, threads: int) -> Any:
    params = cpp.llama_context_default_params()
    own = work.prompt + work.tokens
    # A shared prefix lies in cells that all sequences see; without one, a stream of cells for
    # each sequence is faster.
    params.kv_unified = bool(work.shared)
    if work.shared:
        params.n_ctx = padded(work.shared + own * work.streams)
    else:
        params.n_ctx = padded(own) * work.streams
    params.n_seq_max = work.streams
    params.n_batch = params.n_ubatch = _ROWS
    params.n_threads = params.n_threads_batch = threads
    # Plain attention is faster for streams, flash attention for prompts (`engine.attention`).
    params.flash_attn_type = (
        cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
        if work.tokens == 1
        else cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
    )
    params.no_perf = True
    return params
