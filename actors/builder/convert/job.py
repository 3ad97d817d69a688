"""What the process of a conversion is asked, and what it says.

It is asked by one argument of JSON. On standard output it says, a line of JSON each: first the
bytes that it will write, then what the user must know. On standard error it says last what went wrong.
"""

import json
from typing import Any

import attrs

__all__ = ["Job", "Said", "job_from", "job_text", "said_from", "said_text"]


@attrs.frozen
class Job:
    """A folder to convert."""

    folder: str
    target: str
    """File for the model or the adapter; it is there, and empty."""
    projector: str = ""
    """File for the projector; it stays empty where the model does not see."""
    kind: str = ""
    """`F32`, `F16` or `BF16`; empty: the checkpoint's own."""
    base: dict[str, Any] | None = None
    """Of an adapter: the fields of `lora.BaseModel`."""


@attrs.frozen
class Said:
    """What a process has said so far."""

    total: int = 0
    """Bytes of all tensors that it writes."""
    notices: tuple[str, ...] = ()


def job_text(job: Job) -> str:
    return json.dumps(attrs.asdict(job))


def job_from(text: str) -> Job:
    return Job(**json.loads(text))


def said_text(said: Said) -> str:
    return json.dumps(attrs.asdict(said))


def said_from(line: bytes) -> Said:
    """Read a line; what is no such line says nothing."""
    try:
        found = json.loads(line)
        return Said(int(found["total"]), tuple(map(str, found["notices"])))
    except (ValueError, TypeError, KeyError):
        return Said()
