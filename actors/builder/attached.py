"""What a child process of the builder begins with: it never outlives who started it."""

import os
import sys
import threading
from typing import Final

__all__ = ["attach"]

_NICE: Final = 10
"""Answers that are being generated go first."""


def attach() -> None:
    """Let others go first, and end when standard input is closed, as by the parent's end."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(_NICE)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)
