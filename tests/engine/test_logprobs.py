"""Log probabilities of streams that share batches, beside those of a model that has one alone."""

import random

import numpy as np
import pytest

from actorllm.actors.runner.engine.batching import Pass, Run
from actorllm.actors.runner.engine.logprobs import token_logprob
from actorllm.actors.runner.engine.opening import open_model
from actorllm.actors.runner.engine.types import EngineSettings, Sampling, Work
from tests.engine.weights import make_model

WITHIN = 1e-3
TOP = 5
LENGTH = 10
STREAMS = 9
FILLER = 5


@pytest.fixture(scope="module", params=["Q8_0", "F16"])
def model(request, tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model") / "random.gguf", request.param)


def make_work(number: int) -> Work:
    chance = random.Random(number)
    prompt = tuple(chance.randrange(300, 1000) for _ in range(chance.randrange(3, 120)))
    sampling = Sampling(
        seed=number, temperature=1.0, logprobs=True, top_logprobs=TOP, logit_bias=((2, -np.inf),)
    )
    return Work(id=number, prompt=prompt, sampling=sampling, max_tokens=LENGTH, deterministic=True)


def reference(context, tokens, generated):
    """Evaluate one token at a time; give the log probabilities before each generated one.

    A second row beside it keeps some kernels from summing in another order.
    """
    rows = []
    for position, token in enumerate(tokens[:-1]):
        run = Run(0, position, (token,), output=True)
        filler = Run(0, position + 1, (FILLER,), filler=True)
        context.decode(Pass("decode", (run, filler)))
        if position >= len(tokens) - generated - 1:
            logits = context._samplers.logits(0).astype(np.float64)
            shifted = logits - logits.max()
            rows.append(shifted - np.log(np.exp(shifted).sum()))
    context.cut(0, 0)
    return rows


def test_logprobs_in_batches_are_those_of_each_stream_alone(model, make_host):
    host = make_host(model, slots=STREAMS, threads=1, num_ctx=256, deterministic=True)
    works = {number: make_work(number) for number in range(1, STREAMS + 1)}
    for work in works.values():
        host.engine.submit(work)
    told = {number: [] for number in works}
    left = set(works)
    while left:
        delta = host.deltas.get(timeout=60)
        told[delta.id] += delta.logprobs
        if delta.finish is not None:
            left.discard(delta.id)
    alone = open_model(EngineSettings(model_path=model, num_ctx=256, slots=1, threads=1))
    for number, entries in told.items():
        assert len(entries) == LENGTH
        chosen = tuple(entry.chosen.token for entry in entries)
        rows = reference(alone.context, (*works[number].prompt, *chosen), LENGTH)
        for entry, row in zip(entries, rows, strict=True):
            for said in (entry.chosen, *entry.top):
                assert said.logprob == pytest.approx(row[said.token], abs=WITHIN)
            best = np.sort(row)[: -TOP - 1 : -1]
            assert [said.logprob for said in entry.top] == pytest.approx(best, abs=WITHIN)
    alone.free()


def test_rivals_are_the_same_in_a_large_vocabulary():
    dice = np.random.default_rng(1)
    for _ in range(20):
        logits = (3 * dice.standard_normal(30_000, np.float32)).round(1)
        exact = logits.astype(np.float64)
        exact -= np.log(np.exp(exact - exact.max()).sum()) + exact.max()
        entry = token_logprob(logits, 7, 20, lambda _: b"")
        order = np.lexsort((np.arange(len(exact)), -exact))[:20]
        assert [rival.token for rival in entry.top] == order.tolist()
        assert [rival.logprob for rival in entry.top] == pytest.approx(exact[order], abs=1e-6)
        assert entry.chosen.logprob == pytest.approx(exact[7], abs=1e-6)
