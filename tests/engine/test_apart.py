"""That streams go on while a long prompt is read apart, in a time that is counted, not measured."""

import itertools
import random
import struct
from collections.abc import Sequence

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from actorllm.actors.runner.engine.backend import Pause
from actorllm.actors.runner.engine.batching import Pass
from actorllm.actors.runner.engine.fake import FakeBackend
from actorllm.actors.runner.engine.stepper import Stepper
from actorllm.actors.runner.engine.types import EngineError, EngineSettings, Work

STEP, ROW, ROW_APART = 0.03, 0.01, 0.006
"""Seconds of a pass, of each of its rows beyond the first, and of a token that is read apart."""
NODE = 0.004
"""Seconds between two pauses."""


class Clockwork(FakeBackend):
    """A backend whose time passes as it computes."""

    def __init__(self, *, apart: bool = True, breaks_at: int = -1, slots: int = 4) -> None:
        super().__init__(
            EngineSettings(model_path="fake", num_ctx=2048, slots=slots, unordered=True),
            lambda work, index: 97 + (sum(work.prompt) + index) % 26,
        )
        self.reads_apart = apart
        self.now = 0.0
        self.read: list[int] = []
        """Of each prompt that was read apart, or of which that was tried, how many tokens."""
        self._breaks_at = breaks_at

    def decode(self, plan: Pass) -> None:
        super().decode(plan)
        self.now += STEP + ROW * (plan.rows - 1)

    def prepare_apart(self) -> bool:
        return True

    def read_apart(self, slot: int, tokens: Sequence[int], position: int, pause: Pause) -> bool:
        assert len(self.tokens(slot)) == position
        self.read.append(len(tokens))
        for node in range(int(len(tokens) * ROW_APART / NODE)):
            self.now += NODE
            done = int(node * NODE / ROW_APART)
            if self._breaks_at == done:
                self.cut(slot, 0)
                raise EngineError("it breaks")
            if not pause(done, NODE):
                return False
        known = self.tokens(slot)
        assert len(known) == position
        self.cut(slot, 0)
        return self.restore(
            slot, memoryview(struct.pack(f"{position + len(tokens)}i", *known, *tokens))
        )


class Play:
    """A stepper, and what came of it and when."""

    def __init__(self, backend: Clockwork, slots: int = 4) -> None:
        self.backend = backend
        self.stepper = Stepper(
            backend,
            slots=slots,
            window=2048,
            num_batch=512,
            clock=lambda: backend.now,
            meanwhile=self.step,
        )
        self.times: dict[int, list[float]] = {}
        self.texts: dict[int, str] = {}
        self.ends: dict[int, str] = {}
        self.cached: dict[int, int] = {}
        self.coming: list[tuple[float, Work | int]] = []
        """Works, and numbers of those to be cancelled, with their times, the last one first."""

    def at(self, second: float, what: Work | int) -> None:
        self.coming.append((second, what))
        self.coming.sort(key=lambda item: -item[0])

    def step(self) -> bool:
        while self.coming and self.coming[-1][0] <= self.backend.now:
            what = self.coming.pop()[1]
            if isinstance(what, Work):
                self.stepper.submit(what)
            else:
                self.stepper.cancel(what)
        went_on = self.stepper.step()
        for delta in self.stepper.collect():
            if delta.tokens:
                self.times.setdefault(delta.id, []).append(self.backend.now)
            self.texts[delta.id] = self.texts.get(delta.id, "") + delta.text
            if delta.finish is not None:
                self.ends[delta.id] = delta.finish.reason
                self.cached[delta.id] = delta.finish.cached_tokens
        return went_on

    def run(self) -> None:
        while self.step() or self.coming:
            if not self.stepper.runnable:
                self.backend.now += 0.01

    def gap(self, number: int) -> float:
        """The longest time between two tokens."""
        times = self.times[number]
        return max(b - a for a, b in itertools.pairwise(times))


def warm(backend: Clockwork, slots: int = 4) -> Play:
    """An engine that has answered once, and knows how quick it is."""
    play = Play(backend, slots)
    play.at(0, Work(id=0, prompt=tuple(range(64)), max_tokens=2))
    play.run()
    return play


STREAM = Work(id=1, prompt=tuple(range(100, 110)), max_tokens=400)
LONG = Work(id=2, prompt=tuple(i % 200 + 7 for i in range(1000)), max_tokens=3)


def played(*coming: tuple[float, Work | int], **how: object) -> Play:
    """Play until all has ended; the times are counted from the first token of a stream on."""
    play = warm(Clockwork(**how))
    play.at(play.backend.now, STREAM)
    while STREAM.id not in play.times:
        play.step()
    for second, what in coming:
        play.at(play.backend.now + second, what)
    play.run()
    return play


def test_a_stream_goes_on_while_a_long_prompt_is_read():
    play = played((1, LONG))
    assert play.backend.read == [999]
    assert play.gap(STREAM.id) <= 0.2
    took = play.times[LONG.id][0] - play.times[STREAM.id][0] - 1
    alone = len(LONG.prompt) * ROW_APART
    assert alone < took < alone * 1.3


@pytest.mark.parametrize(
    ("tiles", "tokens", "read"), [(False, 1000, [999]), (True, 1000, []), (False, 300, [])]
)
def test_without_a_stream_only_a_very_long_one_is_and_where_attention_is_plain(tiles, tokens, read):
    backend = Clockwork()
    backend.tiles = tiles
    play = warm(backend)
    play.at(play.backend.now, evolve(LONG, prompt=LONG.prompt[:tokens]))
    play.run()
    assert backend.read == read
    assert play.ends[LONG.id] == "length"


def test_a_single_slot_needs_no_second_context():
    backend = Clockwork(slots=1)
    backend.prepare_apart = pytest.fail
    warm(backend, slots=1)


def test_a_short_prompt_is_answered_before_a_long_one_is_read():
    short = Work(id=3, prompt=tuple(range(50, 80)), max_tokens=5)
    play = played((1, LONG), (2, short))
    assert play.times[short.id][-1] < play.times[LONG.id][0] - 2
    assert play.gap(STREAM.id) <= 0.24


def test_what_would_take_long_to_copy_is_read_in_passes():
    backend = Clockwork()
    backend.cell_bytes = 10_000_000
    play = warm(backend)
    play.at(play.backend.now, STREAM)
    play.at(play.backend.now + 1, LONG)
    play.run()
    assert backend.read == []
    assert play.ends[LONG.id] == "length"


def test_a_longer_prompt_waits_for_the_end_of_one_that_is_read():
    longer = Work(id=3, prompt=tuple(i % 190 + 9 for i in range(1300)), max_tokens=2)
    play = played((1, LONG), (2, longer))
    assert play.backend.read == [999, 1299]
    one, both = play.times[LONG.id][0], play.times[longer.id][0]
    assert one < played((1, LONG)).times[LONG.id][0] + 0.3
    assert both - one < 1300 * ROW_APART * 1.3


def test_a_prompt_is_read_to_its_end_after_the_last_stream():
    play = played((1, LONG), (2, STREAM.id))
    assert play.ends == {0: "length", 1: "cancelled", 2: "length"}
    assert play.backend.read == [999]


def test_reading_ends_at_once_if_the_work_is_cancelled():
    play = played((1, LONG), (3, LONG.id), (3.5, Work(id=4, prompt=(9, 9, 9), max_tokens=2)))
    assert play.ends[LONG.id] == "cancelled"
    assert play.ends[4] == "length"
    assert play.gap(STREAM.id) <= 0.2


def test_who_begins_alike_waits_and_has_the_cells():
    again = Work(id=3, prompt=(*LONG.prompt, 1, 2, 3), max_tokens=2)
    play = played((1, LONG), (2, again))
    assert play.backend.read == [999]
    assert play.cached[again.id] >= 999


def test_what_breaks_is_read_in_passes_and_not_tried_again():
    again = Work(id=3, prompt=LONG.prompt[::-1], max_tokens=2)
    play = played((1, LONG), (1, again), breaks_at=300)
    assert play.backend.read == [999]
    assert play.texts[LONG.id] == played((1, LONG), apart=False).texts[LONG.id]
    assert play.ends[again.id] == "length"


def test_a_pass_that_breaks_meanwhile_breaks_the_engine():
    twice = (2, STREAM)  # nobody submits a work twice
    with pytest.raises(ValueError, match="is there already"):
        played((1, LONG), twice)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_answers_are_those_without(seed):
    def play(*, apart: bool) -> Play:
        rng = random.Random(seed)
        play = warm(Clockwork(apart=apart))
        for number in range(1, 9):
            begin = tuple(range(rng.choice([0, 60, 600])))
            own = tuple(rng.choices(range(200), k=rng.choice([1, 30, 700])))
            tokens = rng.choice([1, 20, 120])
            play.at(rng.uniform(0, 20), Work(id=number, prompt=begin + own, max_tokens=tokens))
        play.run()
        return play

    ours, others = play(apart=True), play(apart=False)
    assert not others.backend.read
    assert (ours.texts, ours.ends) == (others.texts, others.ends)
    assert ours.stepper.stats().cells_used == sum(len(c) for c in ours.backend._cells)
