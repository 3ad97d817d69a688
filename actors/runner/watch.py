"""What can go wrong with an engine that is not an error: pure judgement of looks at it.

| fault | when | recovery |
|---|---|---|
| slow | a pass takes far longer than the usual ones | none: it is told, and the threads adapt |
| hung | a pass takes so long that it will never end | the runner ends; its streams fail over |
| memory | the process takes much more than was planned for it | told; if memory is scarce, the runner ends when it is idle, or at once before there is none |
| busy | other programs use the cores | fewer threads compute, until the cores are free again |

A load that makes no progress is the scheduler's to judge, for it waits for it.
"""

from typing import Literal

import attrs

from actorllm.actors.runner.engine.types import EngineStats

__all__ = ["HUNG_SECONDS", "LOOK_SECONDS", "Fault", "Memory", "Watch"]

LOOK_SECONDS = 5.0
"""Time between two looks at the engine."""
HUNG_SECONDS = 300.0
"""Longest time that one pass may take before the engine counts as hung."""
_HUNG_AT_LEAST = 120.0
_HUNG_TIMES = 200.0
"""A pass that takes so many times the usual ones is hung, within these two bounds in seconds."""
_SLOW_AT_LEAST = 2.0
_SLOW_TIMES = 20.0
"""A pass is slow from both on: these seconds, and so many times the usual ones."""
_BEYOND = 1.25
_SPARE = 512 * 1024**2
"""Memory is beyond the plan from so many times the plan and these bytes more on."""
_SCARCE, _LAST = 0.05, 0.02
"""Parts of the machine's memory: less is scarce, or as good as none."""
_MEMORIES = 8
"""Looks over which the usual time of a pass is remembered."""


@attrs.frozen
class Fault:
    """Something that was seen, in one line for the log."""

    kind: Literal["slow", "hung", "memory", "busy"]
    text: str
    ends: bool = False
    """Whether the runner must end."""


@attrs.frozen
class Memory:
    """Bytes at a moment."""

    used: int
    """By this process."""
    free: int
    """Available on the machine."""
    total: int
    """Of the machine."""


class Watch:
    """Judges what is seen of an engine every few seconds.

    Args:
        planned: Bytes that the scheduler has planned with; 0: it has not said.
    """

    def __init__(self, *, planned: int) -> None:
        self._planned = planned
        self._most_threads = self._threads = self._threads_before = 0
        self._passes = -1
        self._since = 0.0
        self._usual: list[float] = []
        self._told_slow = False
        self._told_memory = planned

    def look(self, now: float, stats: EngineStats | None, memory: Memory) -> list[Fault]:
        """Give the faults that are new.

        Args:
            now: Seconds of a clock that never goes back.
            stats: Of the engine, if it has any.
            memory: Of the process and the machine.
        """
        faults = [self._room(memory, idle=stats is not None and not _computes(stats))]
        if stats is not None:
            faults += [self._pace(now, stats), self._cores(stats)]
        return [fault for fault in faults if fault is not None]

    def _pace(self, now: float, stats: EngineStats) -> Fault | None:
        if stats.passes != self._passes or not _computes(stats):
            moved = stats.passes != self._passes
            self._passes, self._since, self._told_slow = stats.passes, now, False
            return self._ended(stats.last_pass_seconds) if moved else None
        took, usual = now - self._since, max(self._usual, default=0.0)
        limit = HUNG_SECONDS
        if usual:
            limit = min(max(_HUNG_TIMES * usual, _HUNG_AT_LEAST), HUNG_SECONDS)
        if took > limit:
            text = f"the engine has computed nothing for {took:.0f} s"
            return Fault("hung", text, ends=True)
        if not self._told_slow and usual and took > max(_SLOW_TIMES * usual, _SLOW_AT_LEAST):
            self._told_slow = True
            return Fault("slow", f"a pass takes {took:.1f} s already; usual are {usual:.3f} s")
        return None

    def _ended(self, took: float) -> Fault | None:
        """Judge a pass that has ended, and learn from it."""
        usual = max(self._usual, default=0.0)
        if took > 0:
            self._usual = [*self._usual, took][-_MEMORIES:]
        if usual and took > max(_SLOW_TIMES * usual, _SLOW_AT_LEAST):
            return Fault("slow", f"a pass took {took:.1f} s; usual are {usual:.3f} s")
        return None

    def _room(self, memory: Memory, *, idle: bool) -> Fault | None:
        if not self._planned or memory.used <= self._planned * _BEYOND + _SPARE:
            return None
        text = f"{_mib(memory.used)} MiB of memory are used, {_mib(self._planned)} were planned"
        scarce = memory.free < memory.total * (_SCARCE if idle else _LAST)
        if scarce:
            left = f"; {_mib(memory.free)} MiB are left on the machine"
            return Fault("memory", text + left, ends=True)
        if memory.used <= self._told_memory * _BEYOND:
            return None
        self._told_memory = memory.used
        return Fault("memory", text)

    def _cores(self, stats: EngineStats) -> Fault | None:
        """Tell a number of threads that has lasted for two looks; trials are shorter."""
        before, self._threads_before = self._threads_before, stats.threads
        if not self._threads:  # what the load began with
            self._threads = self._most_threads = stats.threads
        if stats.threads != before or stats.threads == self._threads:
            return None
        fewer = stats.threads < self._threads
        self._threads = stats.threads
        why = "the machine is busy" if fewer else "cores are free again"
        return Fault("busy", f"{stats.threads} of {self._most_threads} threads compute: {why}")


def _computes(stats: EngineStats) -> bool:
    """Whether a pass is under way or due."""
    return any(slot.phase in ("prefill", "decode") for slot in stats.slots)


def _mib(count: int) -> int:
    return count // 1024**2
