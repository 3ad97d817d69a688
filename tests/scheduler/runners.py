"""Runners that misbehave while they load."""

from collections.abc import AsyncIterator

import trio

from actorllm.actors.runner.messages import Load, LoadReport, RunnerArgs
from actorllm.actors.runner.simulated import SimulatedRunner
from actorllm.protocol.codec import evolve

_HERE = __name__

STUCK = f"{_HERE}:StuckRunner"
MUTE = f"{_HERE}:MuteRunner"
SLOW = f"{_HERE}:SlowRunner"
FRAGILE = f"{_HERE}:FragileRunner"
HOPELESS = f"{_HERE}:HopelessRunner"
PLAIN = f"{_HERE}:PlainRunner"
CHANCE = f"{_HERE}:ChanceRunner"

SAFE_RUNG = 2
SLOW_LOAD = 50.0


class StuckRunner(SimulatedRunner):
    """Begins to load, and never goes on."""

    async def load(self, m: Load) -> AsyncIterator[LoadReport]:
        yield LoadReport(0.1)
        await trio.sleep_forever()


class MuteRunner(SimulatedRunner):
    """Ends a load without a word of its outcome."""

    async def load(self, m: Load) -> AsyncIterator[LoadReport]:
        yield LoadReport(0.1)


class SlowRunner(SimulatedRunner):
    """Makes progress all the time, for longer than any limit."""

    async def load(self, m: Load) -> AsyncIterator[LoadReport]:
        for part in range(10):
            yield LoadReport(part / 10)
            await trio.sleep(SLOW_LOAD / 10)
        async for report in super().load(m):
            yield report


class FragileRunner(SimulatedRunner):
    """Crashes on the upper rungs of the ladder."""

    lowest = SAFE_RUNG

    def __init__(self, args: RunnerArgs) -> None:
        super().__init__(args)
        self._rung = args.settings.rung

    async def load(self, m: Load) -> AsyncIterator[LoadReport]:
        if self._rung < self.lowest:
            raise RuntimeError("illegal instruction")
        async for report in super().load(m):
            yield report


class PlainRunner(SimulatedRunner):
    """Promises the same bytes only if it was loaded for that."""

    able = True

    def __init__(self, args: RunnerArgs) -> None:
        super().__init__(args)
        self._able = self.able and args.settings.deterministic

    async def load(self, m: Load) -> AsyncIterator[LoadReport]:
        async for report in super().load(m):
            yield evolve(report, deterministic=self._able)


class ChanceRunner(PlainRunner):
    """Promises nothing."""

    able = False


class HopelessRunner(FragileRunner):
    """Crashes on all rungs."""

    lowest = 99
