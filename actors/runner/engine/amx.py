"""Keep llama.cpp away from AMX tiles, whose kernels crash on quantised weights.

The kernel grants AMX to a process only if every alternate signal stack of its threads can hold
the tile state. A thread that loads a model behind a stack of 4 KiB is refused, llama.cpp notes
that AMX is not ready, and goes on with its other kernels. It asks once per process.
Evidence: llama.cpp#20824, ollama#17205.
"""

import contextlib
import ctypes
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["cpu_has_amx", "refuse_amx"]

_TOO_SMALL = 4096
"""Bytes: accepted as a signal stack, but less than half of the 8 KiB of AMX tile state."""


class _Stack(ctypes.Structure):
    """`stack_t` of <signal.h> on Linux."""

    _fields_ = (
        ("sp", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("size", ctypes.c_size_t),
    )


@cache
def cpu_has_amx() -> bool:
    """Tell whether the CPU reports AMX tiles (Linux only; elsewhere they are out of reach)."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return "amx_tile" in flags.split()


@contextlib.contextmanager
def refuse_amx() -> Iterator[bool]:
    """Have every request for AMX refused that this process makes inside the block.

    Yields:
        Whether it will be refused: true if the CPU has no AMX anyway.
    """
    if not cpu_has_amx():
        yield True
        return
    libc = ctypes.CDLL(None, use_errno=True)
    memory = ctypes.create_string_buffer(_TOO_SMALL)
    small = _Stack(ctypes.addressof(memory), 0, _TOO_SMALL)
    before = _Stack()
    refused = libc.sigaltstack(ctypes.byref(small), ctypes.byref(before)) == 0
    try:
        yield refused
    finally:
        if refused:
            libc.sigaltstack(ctypes.byref(before), None)
