"""Each thread that computes keeps to cores of its own.

OpenMP's threads wait for each other by spinning, some hundred times in a pass. If two of them come
to share a core while something else has the other, each waits a whole slice of time for the other
one, at every barrier: a pass takes ten to fifty times as long. The cores are equally loaded then, so
the system sees no reason to change that. Hence the cores are divided among the threads.

The threads are llama.cpp's own. They are found by the name that they inherit from the thread that
makes them, together with its cores; so that one is released before it makes others.
"""

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from itertools import cycle
from pathlib import Path

from actorllm.actors.runner.engine.cores import own_cores

__all__ = ["Pinning", "divided", "name_thread"]

_NAME = "compute-"
_OWN_NAME = Path("/proc/thread-self/comm")
_TASKS = Path("/proc/self/task")
_BOUND_BY_USER = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")
"""Variables that tell OpenMP where its threads run; then that is nobody else's business."""
_LOOKS = 16
"""Passes after which threads are looked for, at most: those that are given up end a little later."""


def name_thread() -> None:
    """Name the calling thread, so that a `Pinning` of it will know the threads that it makes."""
    with suppress(OSError):  # the system has no such names
        _OWN_NAME.write_text(f"{_NAME}{threading.get_native_id()}", encoding="ascii")


def divided(cores: Sequence[frozenset[int]], threads: int) -> list[frozenset[int]]:
    """Divide cores among threads; not at all if there are fewer cores than threads.

    A thread's cores lie far apart: where fast and slow ones have successive numbers, it has both
    kinds, and the system moves it between them.

    Args:
        cores: Of each core, its logical processors.
        threads: One or more.
    """
    if threads > len(cores):
        return []
    return [frozenset().union(*cores[first::threads]) for first in range(threads)]


class Pinning:
    """Divides the cores among the calling thread and those that it makes.

    It does nothing for a thread without a name of `name_thread`, and where the user has bound
    OpenMP's threads.

    Args:
        wanted: False: it does nothing. The threads of a GPU's driver would have the same name.
    """

    def __init__(self, *, wanted: bool) -> None:
        bound = any(os.environ.get(name) for name in _BOUND_BY_USER)
        self._name = _own_name() if wanted and not bound else ""
        self._cores = own_cores() if self._name else ()
        self._threads = 1
        self._looks = 0

    def use(self, threads: int) -> None:
        """Divide the cores anew, before a pass with another number of threads."""
        self._threads, self._looks = threads, _LOOKS
        self._divide()

    def passed(self) -> None:
        """Look after a pass whether all threads have their share."""
        if self._looks:
            self._looks -= 1
            self._divide()

    def _divide(self) -> None:
        shares = divided(self._cores, self._threads)
        others = self._others() if len(shares) > 1 else []
        missing = len(shares) - 1 - len(others)
        if missing == 0:
            self._looks = 0
        if missing > 0:  # what the next pass makes has the cores of its maker
            shares = [frozenset().union(*self._cores)]
        for task, share in zip([0, *others], cycle(shares)):
            _bind(task, share)

    def _others(self) -> list[int]:
        """Find the threads that the calling one has made, in the order in which it did."""
        own = threading.get_native_id()
        tasks = sorted(int(task.name) for task in _TASKS.iterdir())
        return [task for task in tasks if task != own and _name_of(task) == self._name]


def _own_name() -> str:
    name = _name_of(threading.get_native_id())
    return name if name.startswith(_NAME) else ""


def _name_of(task: int) -> str:
    try:
        return (_TASKS / str(task) / "comm").read_text(encoding="utf-8").strip()
    except OSError:  # it has ended
        return ""


def _bind(task: int, processors: frozenset[int]) -> None:
    with suppress(OSError):  # it has ended, or the cores were taken from this process
        os.sched_setaffinity(task, processors)
