"""Copies that running streams do not wait for: states are read in parts, or not saved at all."""

import pytest

from actorllm.actors.runner.engine.costs import Costs
from actorllm.actors.runner.engine.fake import FakeBackend, FakeEngine, babble
from actorllm.actors.runner.engine.prefixes import Prefixes
from actorllm.actors.runner.engine.slots import Slot
from actorllm.actors.runner.engine.types import EngineSettings, Work
from tests.engine.shelf import PARTS, Shelf


class Host:
    def __init__(self, shelf, unified):
        self.now = 0.0
        settings = EngineSettings(
            model_path="fake", num_ctx=1024, slots=3, num_batch=64, unified=unified,
            saved_bytes=1 << 20,
        )  # fmt: skip
        self.engine = FakeEngine(settings, clock=lambda: self.now, script=endless, archive=shelf)
        self.text, self.finish = {}, {}

    def step(self):
        for delta in self.engine.step():
            self.text[delta.id] = self.text.get(delta.id, "") + delta.text
            if delta.finish is not None:
                self.finish[delta.id] = delta.finish
        self.now += self.engine.step_seconds

    def run(self, *works):
        for work in works:
            self.engine.submit(work)
        while self.engine.runnable:
            self.step()


def endless(work, index):
    return ord("a") + (work.id + index) % 26


def make_work(number, prompt, tokens=10):
    return Work(id=number, prompt=tuple(prompt), max_tokens=tokens)


LONG = bytes(range(200)) * 2


@pytest.fixture(params=[False, True], ids=["split", "unified"])
def unified(request):
    return request.param


@pytest.fixture
def shelf(unified):
    """An archive with the state of a long prompt."""
    shelf = Shelf()
    host = Host(shelf, unified)
    host.run(make_work(1, LONG))
    host.engine.close()
    assert len(shelf.entries_) == 1
    return shelf


def test_a_stream_goes_on_while_a_state_is_read(shelf, unified):
    host = Host(shelf, unified)
    host.engine.submit(make_work(1, b"hello", 1000))
    while not host.text.get(1):
        host.step()
    host.engine.submit(make_work(2, LONG))
    for _ in range(PARTS):
        said = host.text[1]
        host.step()
        assert len(host.text[1]) == len(said) + 1
        assert 2 not in host.text
    host.engine.cancel(1)
    host.run()
    assert host.finish[2].cached_tokens == len(LONG) - 1
    assert host.engine.stats().restored == 1


def test_a_state_that_cannot_be_read_is_computed(shelf, unified):
    shelf.broken = True
    host = Host(shelf, unified)
    host.run(make_work(1, LONG), make_work(2, LONG))
    assert host.finish[1].cached_tokens == 0
    assert host.finish[1].reason == "length"
    assert shelf.opened == 1


def test_who_gives_up_leaves_the_state_to_others(shelf, unified):
    host = Host(shelf, unified)
    host.engine.submit(make_work(1, LONG))
    host.step()
    host.engine.cancel(1)
    host.run(make_work(2, b"hello"), make_work(3, LONG))
    assert host.finish[3].cached_tokens == len(LONG) - 1
    assert shelf.opened == 1


def test_what_is_not_on_disk_does_not_wait(shelf, unified):
    host = Host(shelf, unified)
    host.engine.submit(make_work(1, LONG))
    host.engine.submit(make_work(2, b"hello"))
    host.step()
    host.step()
    assert 2 in host.text
    assert 1 not in host.text


def make_prefixes(patience, copies):
    """Two slots, one of them with a prompt that took ten seconds; give what they lose."""
    settings = EngineSettings(model_path="fake", num_ctx=256, slots=2)
    backend = FakeBackend(settings, babble)
    backend.state_size = lambda _: 1 << 28
    slots = [Slot(0), Slot(1)]
    prefixes = Prefixes(
        backend,
        slots,
        memory=1 << 30,
        archive=None,
        costs=Costs(lambda: copies),
        patience=lambda: patience,
        clock=lambda: 0.0,
    )
    slots[0].place(LONG[:100], "small")
    backend.restore(0, bytes(400))
    prefixes.note(slots[0])
    prefixes.put_aside(slots[0])
    return prefixes.saved, prefixes.lost


@pytest.mark.parametrize(
    ("patience", "rate", "expected"),
    [
        (float("inf"), 10.0, (1, 0)),
        (1.0, 10.0, (1, 0)),  # a seventh of a second
        (0.1, 10.0, (0, 1)),
        (0.1, 1000.0, (0, 0)),  # as soon computed as copied
    ],
)
def test_what_takes_longer_to_copy_than_streams_may_wait_is_lost(patience, rate, expected):
    assert make_prefixes(patience, rate) == expected
