# ruff: noqa: T201 -- a script that prints
"""What choosing a token costs, with a vocabulary of 150,000 tokens.

    python -m tests.bench.sampling

Times are CPU time of the process, best of some rounds, so they can be taken on a busy machine, too.
`llama.cpp` is `llama_sampler_sample` with the same chain, as far as it can be had that way.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import attrs
import llama_cpp as cpp

from actorllm.actors.runner.engine.batching import Pass, Run
from actorllm.actors.runner.engine.context import Context
from actorllm.actors.runner.engine.opening import open_model
from actorllm.actors.runner.engine.types import EngineSettings, Sampling, Structure, Work
from tests.bench.machine import describe
from tests.engine.weights import Shape, make_model

SLOTS = (1, 4, 8, 16)
ROUNDS = 5
TOKENS = 8
"""Of each slot in a round."""
SHAPE = Shape(layers=1, width=64, inner=128, vocabulary=150_000)
OBJECT = Structure("schema", '{"type": "object"}')
GREEDY = Sampling(temperature=0.0)
USUAL = Sampling(temperature=0.8, top_k=40, top_p=0.9)
MODES = {
    "greedy": GREEDY,
    "0.8, top-k 40, top-p 0.9": USUAL,
    "the same, penalties": attrs.evolve(USUAL, repeat_penalty=1.1),
    "the same, DRY over 4096": attrs.evolve(
        USUAL, dry_multiplier=0.8, dry_sequence_breakers=("\n", ":", '"', "*")
    ),
    "the same, 5 logprobs": attrs.evolve(USUAL, logprobs=True, top_logprobs=5),
    "the same, JSON": attrs.evolve(USUAL, structure=OBJECT),
    "0.8, top-k off, top-p 1": Sampling(temperature=0.8, top_k=0, top_p=1.0),
    "0.8, top-k off, top-p 0.9": Sampling(temperature=0.8, top_k=0, top_p=0.9),
    "mirostat 2": Sampling(temperature=0.8, mirostat=2),
}


def best(slots: int, pick: Callable[[int, int], object]) -> float:
    """Microseconds for each token, of a row and with a number in its stream."""
    times = []
    for turn in range(ROUNDS):
        began = time.process_time()
        for number in range(turn * TOKENS, (turn + 1) * TOKENS):
            for row in range(slots):
                pick(row, number)
        times.append(time.process_time() - began)
    return min(times) / (slots * TOKENS) * 1e6


def ours(context: Context, sampling: Sampling, slots: int) -> float:
    """Microseconds for each token of so many streams, side by side."""
    prompt = tuple(range(1000, 5000))
    works = [
        Work(id=n, prompt=prompt, sampling=attrs.evolve(sampling, seed=n)) for n in range(slots)
    ]

    samplers = [context.sampler(work) for work in works]

    def pick(row: int, number: int) -> None:
        token = samplers[row].pick(row, len(prompt) + number)
        if sampling.logprobs:
            samplers[row].logprob(row, token)

    spent = best(slots, pick)
    for sampler in samplers:
        sampler.close()
    return spent


def plain(context: Context, sampling: Sampling, slots: int) -> float:
    """The same with llama.cpp's own loop."""
    chain = cpp.llama_sampler_chain_init(cpp.llama_sampler_chain_default_params())
    links = [cpp.llama_sampler_init_greedy()]
    if sampling.temperature > 0:
        links = [
            cpp.llama_sampler_init_top_k(sampling.top_k),
            cpp.llama_sampler_init_top_p(sampling.top_p, 1),
            cpp.llama_sampler_init_temp(sampling.temperature),
            cpp.llama_sampler_init_dist(1),
        ]
    for link in links:
        cpp.llama_sampler_chain_add(chain, link)

    spent = best(slots, lambda row, _: cpp.llama_sampler_sample(chain, context._context, row))
    cpp.llama_sampler_free(chain)
    return spent


def main() -> None:
    print(describe())
    with tempfile.TemporaryDirectory() as folder:
        path = make_model(Path(folder) / "random.gguf", "F16", SHAPE)
        most = max(SLOTS)
        opened = open_model(EngineSettings(model_path=path, num_ctx=4096, slots=most, threads=1))
        context = opened.context
        assert context is not None
        rows = tuple(Run(slot, 0, (slot + 5,), output=True) for slot in range(most))
        context.decode(Pass("decode", rows))
        context.matchers.compile(OBJECT)
        print(f"{'microseconds per token; slots:':34}" + "".join(f"{n:>8}" for n in SLOTS))
        for name, sampling in MODES.items():
            figures = [ours(context, sampling, slots) for slots in SLOTS]
            print(f"{name:34}" + "".join(f"{figure:8.0f}" for figure in figures))
            if sampling in (GREEDY, USUAL):
                figures = [plain(context, sampling, slots) for slots in SLOTS]
                print(f"{'    llama.cpp':34}" + "".join(f"{figure:8.0f}" for figure in figures))
        opened.free()


if __name__ == "__main__":
    main()
