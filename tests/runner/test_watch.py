"""The watchdogs: what is told of an engine, and when its runner must end."""

import attrs
import pytest

from actorllm.actors.runner.engine.types import EngineStats, SlotStats
from actorllm.actors.runner.watch import HUNG_SECONDS, LOOK_SECONDS, Memory, Watch

GIB = 1 << 30
PLENTY = Memory(used=GIB, free=10 * GIB, total=20 * GIB)
STATS = EngineStats(
    slots=(SlotStats(0, 1, 5, "decode"),),
    queued=0,
    cells_used=5,
    cells=100,
    prompt_tokens=0,
    cached_tokens=0,
    generated_tokens=0,
    passes=0,
    prefill_rate=0.0,
    decode_rate=0.0,
    last_pass_seconds=0.0,
    threads=8,
)
IDLE = (SlotStats(0, None, 5, "idle"),)


class Engine:
    """An engine that is looked at, in its own time."""

    def __init__(self, planned=2 * GIB) -> None:
        self.watch = Watch(planned=planned)
        self.stats = STATS
        self.now = 0.0
        self.memory = PLENTY

    def look(self, **changes):
        """Let time pass until the next look; give the kinds of the faults that are seen."""
        self.now += LOOK_SECONDS
        if changes:
            self.stats = attrs.evolve(self.stats, **changes)
        return self.watch.look(self.now, self.stats, self.memory)

    def run(self, looks, seconds):
        """Compute passes of so many seconds."""
        seen = []
        for _ in range(looks):
            seen += self.look(passes=self.stats.passes + 10, last_pass_seconds=seconds)
        return seen

    def until_it_ends(self):
        """Compute nothing more; give the faults and the seconds until the runner must end."""
        began, seen = self.now, []
        while not any(fault.ends for fault in seen):
            assert self.now - began < 2 * HUNG_SECONDS
            seen += self.look()
        return [fault.kind for fault in seen], self.now - began


def test_an_engine_at_work_is_not_worth_a_word():
    engine = Engine()
    assert engine.run(20, 0.05) == []
    assert engine.run(3, 0.9) == []


def test_a_pass_far_beyond_the_usual_ones_is_told_once_and_then_hung():
    engine = Engine()
    engine.run(10, 0.05)
    kinds, seconds = engine.until_it_ends()
    assert kinds == ["slow", "hung"]
    assert 120 <= seconds <= 120 + 2 * LOOK_SECONDS


def test_an_engine_with_slow_passes_is_given_more_time():
    engine = Engine()
    engine.run(10, 1.2)
    assert engine.until_it_ends()[1] >= 240
    first = Engine()
    first.look()
    assert first.until_it_ends() == (["hung"], pytest.approx(HUNG_SECONDS, abs=2 * LOOK_SECONDS))


def test_a_slow_pass_that_has_ended_is_told_too():
    engine = Engine()
    engine.run(10, 0.05)
    (fault,) = engine.run(1, 4.0)
    assert (fault.kind, fault.ends) == ("slow", False)
    assert fault.text == "a pass took 4.0 s; usual are 0.050 s"
    assert engine.run(5, 0.05) == []


def test_an_engine_that_has_nothing_to_do_may_rest():
    engine = Engine()
    engine.run(10, 0.05)
    engine.look(slots=IDLE)
    assert [f for _ in range(1000) for f in engine.look()] == []


def test_memory_beyond_the_plan_is_told_each_time_it_has_grown():
    engine = Engine(planned=2 * GIB)
    engine.memory = attrs.evolve(PLENTY, used=3 * GIB)
    assert engine.look() == []
    engine.memory = attrs.evolve(PLENTY, used=4 * GIB)
    (fault,) = engine.look()
    assert (fault.kind, fault.ends) == ("memory", False)
    assert fault.text == "4096 MiB of memory are used, 2048 were planned"
    assert engine.look() == []
    engine.memory = attrs.evolve(PLENTY, used=6 * GIB)
    assert [f.kind for f in engine.look()] == ["memory"]


@pytest.mark.parametrize(
    ("slots", "free", "ends"),
    [
        (IDLE, 0.04, True),
        (STATS.slots, 0.04, False),
        (STATS.slots, 0.01, True),
        (IDLE, 0.06, False),
    ],
)
def test_who_took_more_than_planned_ends_when_memory_is_scarce(slots, free, ends):
    engine = Engine(planned=2 * GIB)
    engine.memory = Memory(used=4 * GIB, free=int(free * 20 * GIB), total=20 * GIB)
    (fault,) = engine.look(slots=slots)
    assert fault.ends is ends
    within = Engine(planned=3 * GIB)
    within.memory = engine.memory
    assert within.look(slots=slots) == []


def test_without_a_plan_memory_is_nobodys_business():
    engine = Engine(planned=0)
    engine.memory = Memory(used=19 * GIB, free=0, total=20 * GIB)
    assert engine.look() == []


def test_fewer_threads_are_told_when_they_last_and_so_is_their_return():
    engine = Engine()
    engine.look(slots=IDLE)
    assert engine.look(threads=4) == []  # perhaps a trial
    assert engine.look(threads=8) == []
    assert engine.look(threads=4) == []
    (fault,) = engine.look()
    assert fault.text == "4 of 8 threads compute: the machine is busy"
    assert engine.look(threads=8) == []
    (fault,) = engine.look()
    assert fault.text == "8 of 8 threads compute: cores are free again"


def test_an_engine_without_slots_is_watched_for_memory_only():
    watch = Watch(planned=GIB)
    assert watch.look(0.0, None, PLENTY) == []
    (fault,) = watch.look(5.0, None, Memory(used=4 * GIB, free=0, total=20 * GIB))
    assert fault.ends
