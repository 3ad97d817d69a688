"""An engine as Trio sees it: work goes in, each stream's deltas come to a sink of its own."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Protocol

import psutil
import trio

from actorllm.actors.runner.engine.pairing import Pairing
from actorllm.actors.runner.engine.types import (
    Delta,
    EngineSettings,
    EngineStats,
    Loaded,
    Structure,
    Work,
)
from actorllm.actors.runner.watch import LOOK_SECONDS, Fault, Memory, Watch

__all__ = ["EngineHost", "Sink", "ThreadHost", "Vectors", "hand_out", "memory_now"]

_NATIVE = {
    # Where there is a debugger, ggml's abort would start it for a trace, which takes seconds.
    "GGML_NO_BACKTRACE": "1",
}
"""What llama.cpp reads from the environment, where the user has not said otherwise."""

_SWITCH_SECONDS = 0.0002
"""How long the engine's thread waits for the interpreter, between two passes, while this process is
busy with what came of the last one. Python's own 5 ms are several passes of a small model."""

Vectors = tuple[tuple[float, ...], ...]


class Sink:
    """The deltas of one stream that were not taken yet. Bounded by the engine's parking."""

    def __init__(self) -> None:
        self._deltas: list[Delta] = []
        self._wake = trio.Event()

    def put(self, delta: Delta) -> None:
        self._deltas.append(delta)
        self._wake.set()

    async def take(self) -> list[Delta]:
        """Wait for deltas and take all that are there."""
        if not self._deltas:
            self._wake = trio.Event()
            await self._wake.wait()
        deltas, self._deltas = self._deltas, []
        return deltas


def hand_out(sinks: dict[int, Sink], deltas: Sequence[Delta]) -> None:
    """Put deltas into the sinks of their streams; who has left gets none, an end closes a sink."""
    for delta in deltas:
        sink = sinks.get(delta.id)
        if sink is None:
            continue
        if delta.finish is not None:
            del sinks[delta.id]
        sink.put(delta)


class EngineHost(Protocol):
    """What the runner needs of an engine."""

    async def load(self, progress: Callable[[float], None]) -> Loaded:
        """Load the model; cancelling it aborts the load. Raises `EngineError`."""

    def submit(self, work: Work, sink: Sink) -> None:
        """Begin a stream; whatever becomes of it ends with a delta that has a `finish`."""

    def leave(self, work_id: int) -> None:
        """End a stream that nobody wants any more."""

    def drained(self, work_id: int, characters: int) -> None:
        """Text of a stream was passed on."""

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]: ...

    def detokenize(self, tokens: Sequence[int]) -> bytes: ...

    def compile(self, structure: Structure) -> None:
        """Prepare a structure for the works that will have it; it may block. Raises `EngineError`."""

    async def embed(self, inputs: Sequence[Sequence[int]], *, normalize: bool) -> Vectors: ...

    def pairing(self) -> Pairing:
        """How a reranker reads a query and a document."""

    def stats(self) -> EngineStats | None: ...

    async def run(self) -> None:
        """Do what the host has to do beside; an exception means that the engine broke down."""

    def close(self) -> None: ...


class ThreadHost:
    """The real engine, in its own thread."""

    def __init__(
        self,
        settings: EngineSettings,
        *,
        planned: int = 0,
        report: Callable[[Fault], None] = lambda _: None,
    ) -> None:
        """Prepare.

        Args:
            settings: How to load.
            planned: Bytes that the load was planned with; 0: not known.
            report: Told the faults that are seen.
        """
        sys.setswitchinterval(_SWITCH_SECONDS)
        for variable, value in _NATIVE.items():  # read when the library is loaded
            os.environ.setdefault(variable, value)
        from actorllm.actors.runner.engine.engine import Engine

        self._planned = planned + settings.saved_bytes if planned else 0
        self._report = report
        self._engine = Engine(settings, self._deliver, stopped=self._stopped)
        self._token = trio.lowlevel.current_trio_token()
        self._sinks: dict[int, Sink] = {}
        self._broken = trio.Event()
        self._error: BaseException | None = None
        self._loaded = False

    async def load(self, progress: Callable[[float], None]) -> Loaded:
        aborted = False

        def report(part: float) -> bool:
            self._token.run_sync_soon(progress, part, idempotent=False)
            return not aborted

        try:
            loaded = await trio.to_thread.run_sync(
                lambda: self._engine.load(report), abandon_on_cancel=True
            )
        except trio.Cancelled:
            aborted = True
            raise
        self._loaded = True
        return loaded

    def submit(self, work: Work, sink: Sink) -> None:
        self._sinks[work.id] = sink
        self._engine.submit(work)

    def leave(self, work_id: int) -> None:
        if self._sinks.pop(work_id, None) is not None and not self._broken.is_set():
            self._engine.cancel(work_id)

    def drained(self, work_id: int, characters: int) -> None:
        self._engine.drained(work_id, characters)

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        return self._engine.tokenize(text, add_special=add_special, parse_special=parse_special)

    def detokenize(self, tokens: Sequence[int]) -> bytes:
        return self._engine.detokenize(tokens)

    def compile(self, structure: Structure) -> None:
        self._engine.compile(structure)

    async def embed(self, inputs: Sequence[Sequence[int]], *, normalize: bool) -> Vectors:
        ended = trio.Event()
        result = self._engine.embed(inputs, normalize=normalize)
        result.add_done_callback(lambda _: self._token.run_sync_soon(ended.set))
        try:
            await ended.wait()
        except trio.Cancelled:
            result.cancel()
            raise
        return result.result()

    def pairing(self) -> Pairing:
        return self._engine.pairing()

    def stats(self) -> EngineStats | None:
        return self._engine.stats() if self._loaded else None

    async def run(self) -> None:
        """Watch the engine: heartbeats come from this thread and say nothing of the other.

        Raises:
            RuntimeError: The engine broke down, or the watch says that it must end.
        """
        watch = Watch(planned=self._planned)
        while not self._broken.is_set():
            with trio.move_on_after(LOOK_SECONDS):
                await self._broken.wait()
            for fault in watch.look(trio.current_time(), self.stats(), memory_now()):
                self._report(fault)
                if fault.ends:
                    raise RuntimeError(fault.text)
        raise RuntimeError(f"the engine broke down: {self._error}") from self._error

    def close(self) -> None:
        self._engine.close()

    # In the engine's thread

    def _deliver(self, deltas: list[Delta]) -> None:
        self._token.run_sync_soon(self._hand_out, deltas)

    def _stopped(self, error: BaseException | None) -> None:
        if error is not None:
            self._token.run_sync_soon(self._break_down, error)

    # In Trio's thread

    def _hand_out(self, deltas: list[Delta]) -> None:
        hand_out(self._sinks, deltas)

    def _break_down(self, error: BaseException) -> None:
        self._error = error
        self._broken.set()


def memory_now() -> Memory:
    """What this process and the machine have of memory.

    Pages of files do not count where they are told apart: the system takes them when it needs them.
    """
    mine, machine = psutil.Process().memory_info(), psutil.virtual_memory()
    return Memory(mine.rss - getattr(mine, "shared", 0), machine.available, machine.total)
