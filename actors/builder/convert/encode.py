"""Numbers to F32, F16 or BF16, a bounded piece at a time."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from gguf import GGMLQuantizationType
from gguf.quants import quantize

from actorllm.actors.builder.convert.errors import ConvertError

__all__ = ["TYPES", "encoded"]

Array = np.ndarray[Any, np.dtype[Any]]

TYPES: Final = {
    "F32": GGMLQuantizationType.F32,
    "F16": GGMLQuantizationType.F16,
    "BF16": GGMLQuantizationType.BF16,
}

_CHUNK: Final = 1 << 22
"""Numbers that are held as F32 at once, unless one row has more."""


def encoded(raw: Array, dtype: str, wanted: str, plus: float, name: str) -> Iterator[Array]:
    """Convert a tensor and yield its bytes in order.

    Args:
        raw: As `Checkpoint.array` returns it.
        dtype: What its numbers are.
        wanted: What they are to be, one of `TYPES`.
        plus: Added to each number.
        name: Of the tensor, for messages.

    Raises:
        ConvertError: A number is too large for the wanted type.
    """
    rows = raw.reshape(1, 1) if raw.ndim == 0 else raw
    each = max(1, rows.size // max(1, len(rows)))
    step = max(1, _CHUNK // each)
    for start in range(0, len(rows), step):
        chunk = rows[start : start + step]
        if dtype == wanted and not plus:
            yield np.ascontiguousarray(chunk)
        else:
            floats = _floats(chunk, dtype)
            yield _converted(floats + np.float32(plus) if plus else floats, wanted, name)


def _floats(raw: Array, dtype: str) -> Array:
    if dtype == "BF16":  # the upper half of an F32
        return (raw.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore"):
        return raw.astype(np.float32)


def _converted(floats: Array, wanted: str, name: str) -> Array:
    flat = np.ascontiguousarray(floats).reshape(1, -1)
    with np.errstate(over="ignore"):
        result: Array = quantize(flat, TYPES[wanted])
    if wanted == "F16" and np.isinf(result).any() and not np.isinf(flat).any():
        raise ConvertError(
            f"tensor {name} has numbers that are too large for F16; quantize to BF16 or F32"
        )
    return result
