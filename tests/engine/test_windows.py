"""A request may have a smaller window than the slot that it runs in."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actorllm.actors.runner.engine.fake import FakeEngine
from actorllm.actors.runner.engine.types import EngineSettings, Sampling, Work
from actorllm.actors.runner.engine.windows import window_of


def run(num_ctx, work):
    """Run one endless work: its tokens, its finish and the cells that it leaves."""
    engine = FakeEngine(
        EngineSettings(model_path="fake", num_ctx=num_ctx, slots=1, num_batch=16),
        clock=lambda: 0.0,
        script=lambda work, index: ord("a") + (len(work.prompt) + index) % 26,
    )
    engine.submit(work)
    tokens = ()
    while True:
        for delta in engine.step():
            tokens += delta.tokens
            if delta.finish is not None:
                return tokens, delta.finish, engine.stats().cells_used


@given(
    window=st.integers(4, 80),
    prompt=st.binary(min_size=1, max_size=100),
    resume=st.binary(max_size=60),
    limit=st.sampled_from((0, 5, 200, 100_000)),
    keep=st.sampled_from((-1, 0, 4, 50)),
    shift=st.booleans(),
)
@example(window=4, prompt=b"abc", resume=b"", limit=0, keep=-1, shift=True)
def test_a_work_with_a_smaller_window_runs_as_in_a_slot_of_that_size(
    window, prompt, resume, limit, keep, shift
):
    def work(**changes):
        return Work(
            id=1,
            prompt=tuple(prompt),
            resume=tuple(resume),
            max_tokens=limit,
            num_keep=keep,
            shift=shift,
            sampling=Sampling(seed=1),
            **changes,
        )

    assert run(512, work(window=window)) == run(window, work())


@pytest.mark.parametrize("window", [0, -5, 256, 100_000])
def test_a_window_is_never_larger_than_the_slots(window):
    _, finish, cells = run(256, Work(id=1, prompt=(65,), window=window))
    assert finish.generated_tokens == 2560
    assert cells <= 256


def test_a_window_of_less_than_makes_sense_is_the_smallest_there_is():
    _, finish, _ = run(256, Work(id=1, prompt=(65,), window=1))
    assert finish.generated_tokens == 40


@pytest.mark.parametrize(
    ("wanted", "slot", "window"),
    [(None, 4096, 4096), (0, 4096, 4096), (-1, 512, 512), (128, 4096, 256), (256, 4096, 256),
     (257, 4096, 512), (8192, 4096, 4096), (300, 400, 400)],
)  # fmt: skip
def test_the_context_of_a_request_is_rounded_as_llama_cpp_does(wanted, slot, window):
    assert window_of(wanted, slot) == window
