"""The trace id: one for each request from outside, carried by every message that follows from it."""

import random
from contextvars import ContextVar

__all__ = ["new_trace", "trace_id"]

trace_id: ContextVar[str] = ContextVar("actorllm_trace", default="")
"""The trace of the message that is being handled; empty outside."""

_random = random.SystemRandom()


def new_trace() -> str:
    """A fresh id: 16 hex digits."""
    return f"{_random.getrandbits(64):016x}"
