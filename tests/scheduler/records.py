"""What the scheduler knows of runners and of those who want one, without either."""

from pathlib import Path

from actorllm.actors.scheduler.runners import Runner, Waiter
from actorllm.actors.scheduler.terms import terms_of
from actorllm.protocol.messages.scheduling import Acquire
from actorllm.protocol.options import Options
from tests.simulation.system import make_model, make_settings

SETTINGS = make_settings(Path("/nowhere"))


def make_runner(name, *, keep_alive=10.0, **changes):
    model = make_model(name)
    return Runner(model, terms_of(model, Options(), SETTINGS), 0, 100, keep_alive, **changes)


def make_waiter(name, since, client="c", **changes):
    model = make_model(name)
    acquire = Acquire(model, Options(), client, None, **changes)
    return Waiter(acquire, terms_of(model, Options(), SETTINGS), since)
