"""A daemon whose runners misbehave: `python -m tests.integration.misbehaving serve`.

The variable `TEST_RUNNER` names the class of the runners.
"""

import functools
import itertools
import os
import threading
import time

import attrs

from actorllm.actors import daemon
from actorllm.actors.runner import host, watch
from actorllm.actors.runner.actor import Runner
from actorllm.actors.runner.engine.context import Context
from actorllm.actors.scheduler.actor import Scheduler

SLOW, BUSY, HANGS = 10, 20, 30
"""The passes of the first runner that take long, lose their threads, and never end."""
_PATIENCE = 30.0


class WithAmx(Runner):
    """Lets llama.cpp have AMX, on every rung."""

    def make_host(self, settings):
        return super().make_host(attrs.evolve(settings, allow_amx=True))


class Faulty(Runner):
    """Has all faults that are watched for, one after the other; the next runner is sound."""

    def make_host(self, settings):
        self._told = {}
        if self.ctx.path.endswith("-1"):
            _be_impatient()
            self._told = {kind: threading.Event() for kind in ("slow", "busy")}
            Context._run = functools.partialmethod(_run, Context._run, self._told)
        return super().make_host(settings)

    def _warn(self, fault):
        super()._warn(fault)
        if fault.kind in self._told:
            self._told[fault.kind].set()


_passes = itertools.count(1)
_learnt = threading.Event()
"""Set when the watch knows how long a pass usually takes."""


class _Learning(watch.Watch):
    def __init__(self, *, planned):
        super().__init__(planned=1)

    def look(self, now, stats, memory):
        faults = super().look(now, stats, memory)
        if self._usual:
            _learnt.set()
        return faults


def _be_impatient():
    host.LOOK_SECONDS = 0.05
    host.Watch = _Learning
    watch._SPARE = 0
    watch._SLOW_AT_LEAST, watch._SLOW_TIMES = 0.3, 1.0
    watch._HUNG_AT_LEAST, watch._HUNG_TIMES = 1.0, 1.0


def _run(self, run, told):
    number = next(_passes)
    if number == SLOW:
        assert _learnt.wait(_PATIENCE)
        assert told["slow"].wait(_PATIENCE)
    elif number == BUSY:
        self.threads -= 1
        assert told["busy"].wait(_PATIENCE)
        self.threads += 1
    elif number == HANGS:
        time.sleep(3600)
    run(self)


def main():
    entry = f"tests.integration.misbehaving:{os.environ['TEST_RUNNER']}"
    daemon.Scheduler = functools.partial(Scheduler, entry=entry)
    from actorllm.cli.main import main as command

    command()


if __name__ == "__main__":
    main()
