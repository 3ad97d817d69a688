"""That a pass is run again where a new plan would be the same, and nowhere else."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorllm.actors.runner.engine.batching import Pass
from actorllm.actors.runner.engine.fake import FakeEngine
from actorllm.actors.runner.engine.streams import OUTPUT_BOUND
from actorllm.actors.runner.engine.types import EngineSettings, Sampling, Work

LAYOUTS = {
    "of their own": {},
    "of their own, in any order": {"unordered": True},
    "of one pool": {"unified": True, "cells": 110, "saved_bytes": 1 << 20},
}


def play(seed: int, changes: dict[str, object], *, planned: bool) -> tuple[list[Pass], dict]:
    """Give the passes and the answers of a random play, with a new plan each time if wanted."""
    rng = random.Random(seed)
    now = 0.0
    engine = FakeEngine(
        EngineSettings(model_path="fake", num_ctx=96, slots=6, num_batch=32, **changes),
        clock=lambda: now,
        script=lambda work, index: 97 + (work.id + index) % 26,
    )
    passes: list[Pass] = []
    evaluate = engine._backend.decode

    def decode(plan: Pass) -> None:
        passes.append(plan)
        evaluate(plan)

    engine._backend.decode = decode
    answers: dict[int, list[object]] = {}
    owed: list[tuple[int, int]] = []
    works = 0
    for _ in range(400):
        if rng.random() < 0.04:
            works += 1
            prompt = tuple(rng.choices(range(9), k=rng.choice([1, 5, 40])))
            engine.submit(
                Work(
                    id=works,
                    prompt=prompt,
                    sampling=Sampling(seed=works),
                    max_tokens=rng.choice([1, 7, 40, 120]),
                    stops=("xyz",) if rng.random() < 0.3 else (),
                    shift=rng.random() < 0.7,
                    deterministic=rng.random() < 0.3,
                )
            )
        if works and rng.random() < 0.02:
            engine.cancel(rng.randint(1, works))
        if works and rng.random() < 0.02:  # somebody stops taking, and goes on later
            stream = engine._stepper._streams.get(rng.randint(1, works))
            if stream is not None:
                stream.backlog += OUTPUT_BOUND
                owed.append((stream.work.id, OUTPUT_BOUND))
        if owed and rng.random() < 0.1:
            engine.drained(*owed.pop())
        if planned:
            engine._stepper._passes.regroup()
        for delta in engine.step():
            answers.setdefault(delta.id, []).append((delta.tokens, delta.text, delta.finish))
        now += engine.step_seconds
    return passes, answers


@pytest.mark.parametrize("cells", LAYOUTS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_a_pass_that_is_run_again_is_the_one_that_would_be_planned(cells, seed):
    passes, answers = play(seed, LAYOUTS[cells], planned=False)
    assert (passes, answers) == play(seed, LAYOUTS[cells], planned=True)


def test_most_passes_of_a_long_answer_are_not_planned():
    clock = [0.0]
    engine = FakeEngine(
        EngineSettings(model_path="fake", num_ctx=512, slots=4, num_batch=32, unordered=True),
        clock=lambda: clock[0],
        script=lambda *_: 97,
    )
    again = 0
    repeat = engine._backend.decode_on

    def decode_on(tokens):
        nonlocal again
        again += 1
        repeat(tokens)

    engine._backend.decode_on = decode_on
    for number in range(3):
        engine.submit(Work(id=number, prompt=(1, 2, number), max_tokens=100))
    while engine.runnable:
        engine.step()
        clock[0] += engine.step_seconds
    assert again > 90
