"""Which ranges of a blob there are, and how far each has come: pure functions.

The state beside an unfinished file is JSON: `{"size": …, "parts": [[size, done, crc], …], "model": …}`,
the parts in order, the model the one that was pulled. The checksum is of the bytes that are done, so that what a crash tore is known and fetched
again, and nothing else.
"""

import json
import math
from collections.abc import Sequence
from typing import Any, Final

import attrs

__all__ = [
    "LEAST_PART",
    "MAX_PARTS",
    "Part",
    "completed",
    "dump_state",
    "load_model",
    "load_state",
    "plan",
    "prefix",
]

MAX_PARTS: Final = 8192
LEAST_PART: Final = 4 * 1024 * 1024
"""Bytes below which another connection costs more than it brings."""
_MOST: Final = 64 * 1024 * 1024
"""Bytes of a part, so that the last ones do not keep one connection busy alone."""

_MAX_NAME: Final = 1024


@attrs.frozen
class Part:
    """A range of a blob."""

    offset: int
    size: int
    """Bytes, more than 0."""
    done: int = 0
    """Bytes from `offset` on that are written."""
    crc: int = 0
    """CRC-32 of these."""

    @property
    def is_done(self) -> bool:
        return self.done == self.size

    @property
    def next(self) -> int:
        """Where the next byte goes."""
        return self.offset + self.done

    @property
    def end(self) -> int:
        return self.offset + self.size


def plan(size: int, streams: int) -> tuple[Part, ...]:
    """Cut a blob for a number of connections."""
    wanted = max(LEAST_PART, min(_MOST, math.ceil(size / streams)), math.ceil(size / MAX_PARTS))
    return tuple(Part(at, min(wanted, size - at)) for at in range(0, size, wanted))


def completed(parts: Sequence[Part]) -> int:
    """Return the bytes that are written."""
    return sum(part.done for part in parts)


def prefix(parts: Sequence[Part]) -> int:
    """Return the bytes from the beginning on that are written without a gap."""
    for part in parts:
        if not part.is_done:
            return part.next
    return parts[-1].end if parts else 0


def dump_state(parts: Sequence[Part], model: str = "") -> bytes:
    """Write the state."""
    size = parts[-1].end if parts else 0
    rows = [[part.size, part.done, part.crc] for part in parts]
    fields = {"size": size, "parts": rows, "model": model}
    return json.dumps(fields, separators=(",", ":")).encode()


def load_model(data: bytes) -> str:
    """Read from a state which model was pulled; empty: it does not say."""
    try:
        model = json.loads(data)["model"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    return model[:_MAX_NAME] if isinstance(model, str) else ""


def load_state(data: bytes, size: int) -> tuple[Part, ...] | None:
    """Read the state of a blob of `size` bytes; None: it is not one, so begin anew."""
    try:
        fields = json.loads(data)
        rows = fields["parts"]
        if fields["size"] != size or len(rows) > MAX_PARTS:
            return None
        parts = _parts(rows)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return parts if sum(part.size for part in parts) == size else None


def _parts(rows: Sequence[Any]) -> tuple[Part, ...]:
    parts = []
    at = 0
    for row in rows:
        size, done, crc = row
        if not (type(size) is type(done) is type(crc) is int):
            raise TypeError("no integers")
        if not (size > 0 and 0 <= done <= size and 0 <= crc < 1 << 32):
            raise ValueError("out of range")
        parts.append(Part(at, size, done, crc))
        at += size
    return tuple(parts)
