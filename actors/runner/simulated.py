"""A runner without a model: the real actor over the fake engine, stepped in Trio's time.

It uses no thread, so a simulation that has it can be replayed exactly.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import trio

from actorllm.actors.runner.actor import Runner
from actorllm.actors.runner.engine.fake import FakeEngine
from actorllm.actors.runner.engine.pairing import Pairing
from actorllm.actors.runner.engine.types import (
    EngineSettings,
    EngineStats,
    Loaded,
    Structure,
    Work,
)
from actorllm.actors.runner.host import EngineHost, Sink, Vectors, hand_out

__all__ = ["SimulatedHost", "SimulatedRunner"]

T = TypeVar("T")

_LOAD_STEPS = 4
_LOAD_STEP_SECONDS = 0.1
_EMBED_SECONDS = 0.02


class SimulatedRunner(Runner):
    """The runner of simulations; `module:Class` for the scheduler's `entry`."""

    def make_host(self, settings: EngineSettings) -> EngineHost:
        return SimulatedHost(settings)

    async def in_thread(self, work: Callable[..., T], *args: Any, **_: Any) -> T:
        await trio.lowlevel.checkpoint()
        return work(*args)


class SimulatedHost:
    """The fake engine as Trio sees it: each pass takes its time on the clock of the run."""

    def __init__(self, settings: EngineSettings) -> None:
        self._engine = FakeEngine(settings, clock=trio.current_time)
        self._embedding = settings.embedding
        self._sinks: dict[int, Sink] = {}
        self._wake = trio.Event()

    async def load(self, progress: Callable[[float], None]) -> Loaded:
        for step in range(_LOAD_STEPS):
            progress(step / _LOAD_STEPS)
            await trio.sleep(_LOAD_STEP_SECONDS)
        return self._engine.load()

    def submit(self, work: Work, sink: Sink) -> None:
        self._sinks[work.id] = sink
        self._engine.submit(work)
        self._wake.set()

    def leave(self, work_id: int) -> None:
        if self._sinks.pop(work_id, None) is not None:
            self._engine.cancel(work_id)
            self._wake.set()

    def drained(self, work_id: int, characters: int) -> None:
        self._engine.drained(work_id, characters)
        self._wake.set()

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        return self._engine.tokenize(text, add_special=add_special, parse_special=parse_special)

    def detokenize(self, tokens: Sequence[int]) -> bytes:
        return self._engine.detokenize(tokens)

    def compile(self, structure: Structure) -> None:
        """Do nothing: invented text keeps to no structure."""

    async def embed(self, inputs: Sequence[Sequence[int]], *, normalize: bool) -> Vectors:
        vectors = self._engine.embed(inputs, normalize=normalize)
        await trio.sleep(_EMBED_SECONDS * len(vectors))
        return vectors

    def pairing(self) -> Pairing:
        return Pairing()

    def stats(self) -> EngineStats | None:
        return None if self._embedding else self._engine.stats()

    async def run(self) -> None:
        """Run passes for ever."""
        while True:
            self._wake = trio.Event()
            if not self._engine.runnable:
                await self._wake.wait()
            deltas = self._engine.step()
            await trio.sleep(self._engine.step_seconds)
            hand_out(self._sinks, deltas)

    def close(self) -> None:
        self._engine.close()
        self._sinks.clear()
