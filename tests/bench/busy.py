"""Other programs that want the cores."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["busy"]


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep so many processes computing."""
    spinning = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)
    ]
    try:
        yield
    finally:
        for one in spinning:
            one.kill()
            one.wait()
