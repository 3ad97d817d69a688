# ruff: noqa: T201 -- a script that prints
"""Compare the engine with a bare decode-and-sample loop. Not a test; run it by hand:

python tests/engine/bench_engine.py MODEL.gguf [TOKENS [THREADS]]
"""

import json
import statistics
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import llama_cpp as cpp

from actorllm.actors.runner.engine.amx import cpu_has_amx
from actorllm.actors.runner.engine.batching import Pass, Run
from actorllm.actors.runner.engine.cores import usable_cores
from actorllm.actors.runner.engine.engine import Engine
from actorllm.actors.runner.engine.matching import Matchers
from actorllm.actors.runner.engine.opening import open_model
from actorllm.actors.runner.engine.types import EngineSettings, Sampling, Structure, Work
from actorllm.actors.runner.engine.vocab import Vocab

PROMPT = tuple(range(100, 116))
ROUNDS = 5
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "age": {"type": "integer", "minimum": 0},
    },
    "required": ["name", "tags", "age"],
}
THREADS = int(sys.argv[3]) if len(sys.argv) > 3 else usable_cores()
CLOCK = time.process_time if THREADS == 1 else time.perf_counter
"""CPU time can be compared on a busy machine, too, but counts the spinning of more threads."""


def settings(path: str, streams: int) -> EngineSettings:
    return EngineSettings(model_path=path, num_ctx=1024, slots=streams, threads=THREADS)


def bare(path: str, streams: int, tokens: int) -> float:
    """Generate with nothing but llama.cpp and a prepared batch; tokens per second."""
    opened = open_model(settings(path, streams))
    context = opened.context
    chains = []
    for slot in range(streams):
        context.decode(Pass("prefill", (Run(slot, 0, PROMPT, output=True),)))
        chain = cpp.llama_sampler_chain_init(cpp.llama_sampler_chain_default_params())
        for link in (
            cpp.llama_sampler_init_top_k(40),
            cpp.llama_sampler_init_top_p(0.9, 1),
            cpp.llama_sampler_init_temp(0.8),
            cpp.llama_sampler_init_dist(slot),
        ):
            cpp.llama_sampler_chain_add(chain, link)
        chains.append(chain)
    batch = context._batch
    batch.fill([Run(slot, len(PROMPT), (5,), output=True) for slot in range(streams)])
    began = CLOCK()
    for _ in range(tokens):
        assert cpp.llama_decode(context._context, batch.struct) == 0
        for row, chain in enumerate(chains):
            batch.token[row] = cpp.llama_sampler_sample(chain, context._context, row)
            batch.pos[row] += 1
    seconds = CLOCK() - began
    opened.free()
    return streams * tokens / seconds


def engine(path: str, streams: int, tokens: int) -> float:
    """Generate the same with the engine; tokens per second from the first delivery on."""
    Vocab.ends = lambda _self, _token: False  # every stream runs to its last token
    times, counts, done = [], [], threading.Event()
    left = streams

    def deliver(deltas):
        nonlocal left
        times.append(CLOCK())
        counts.append(sum(len(delta.tokens) for delta in deltas))
        left -= sum(delta.finish is not None for delta in deltas)
        if not left:
            done.set()

    made = Engine(settings(path, streams), deliver)
    made.load()
    for work in range(streams):
        sampling = Sampling(seed=work)
        made.submit(Work(id=work, prompt=PROMPT, sampling=sampling, max_tokens=tokens))
    done.wait()
    made.close()
    # The prompts' passes are part of the first deliveries; what follows is decoding only.
    start = next(i for i, n in enumerate(counts) if sum(counts[: i + 1]) >= 2 * streams)
    return sum(counts[start + 1 :]) / (times[-1] - times[start])


def structured(path: str, _streams: int, _tokens: int) -> str:
    """Measure what a structure costs: once per model, once per schema, and for each token."""
    opened = open_model(settings(path, 1))
    vocab = opened.model.vocab
    matchers = Matchers(vocab)
    answer = vocab.tokenize(
        '{"name": "Quinn", "tags": ["a", "b"], "age": 7}', add_special=False, parse_special=False
    )
    compiling = []
    for title in ("first", "second"):
        began = time.perf_counter()
        matchers.compile(Structure("schema", json.dumps({"title": title, **SCHEMA})))
        compiling.append(time.perf_counter() - began)
    asking, masking, taking = [], [], []
    for _ in range(50):
        matcher = matchers.begin(Structure("schema", json.dumps({"title": "second", **SCHEMA})))
        for token in answer:
            start = time.perf_counter()
            matcher.allows(token)
            asked = time.perf_counter()
            matcher.allowed()
            masked = time.perf_counter()
            matcher.take(token)
            taking.append(time.perf_counter() - masked)
            masking.append(masked - asked)
            asking.append(asked - start)
    size = vocab.size
    opened.free()
    ask, mask, take = (1e6 * statistics.median(kept) for kept in (asking, masking, taking))
    return (
        f"structure, {size} tokens: vocabulary and schema {compiling[0] * 1e3:.1f} ms,"
        f" next schema {compiling[1] * 1e3:.1f} ms; per token: check {ask:.1f} us,"
        f" mask {mask:.1f} us (99 %: {1e6 * statistics.quantiles(masking, n=100)[98]:.0f}),"
        f" take {take:.1f} us"
    )


def measure(what, path: str, streams: int, tokens: int):
    # A process for each, since OpenMP threads that a loop left behind slow down the next one.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(what, path, streams, tokens).result()


def main() -> None:
    path, tokens = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 500
    print(f"CPU with AMX: {cpu_has_amx()} (refused), threads: {THREADS}, clock: {CLOCK.__name__}")
    print(measure(structured, path, 1, tokens))
    for streams in (1, 4, 8):
        loops, engines = [], []
        for _ in range(ROUNDS):  # taken in turns, for the machine is not quiet
            loops.append(measure(bare, path, streams, tokens))
            engines.append(measure(engine, path, streams, tokens))
        loop, ours = statistics.median(loops), statistics.median(engines)
        ratio = statistics.median(b / a for a, b in zip(loops, engines, strict=True))
        print(f"{streams} streams: bare {loop:.0f} tok/s, engine {ours:.0f} tok/s, {ratio:.3f}")


if __name__ == "__main__":
    main()
