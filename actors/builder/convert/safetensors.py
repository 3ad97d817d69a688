"""Headers of safetensors files, read without trusting a byte.

Layout: eight bytes with the length of the header (little-endian), the header (JSON: name to dtype,
shape and the two offsets of its data), the data. The data must cover the rest of the file exactly,
without holes and overlaps. Source: the format's own description in the safetensors repository.
"""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, Final

import attrs

from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.jsonfile import parse_json

__all__ = ["DTYPES", "Entry", "parse_header", "read_header"]

DTYPES: Final[Mapping[str, int]] = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
    "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1,
}  # fmt: skip
"""Bytes of a number of each type."""

_MAX_HEADER: Final = 100_000_000
"""Bytes; the format's own limit."""
_MAX_TENSORS: Final = 1 << 18
_MAX_DIMENSIONS: Final = 8
_MAX_NAME: Final = 1024
_PREFIX: Final = 8


@attrs.frozen
class Entry:
    """A tensor in a file."""

    name: str
    dtype: str
    """One of `DTYPES`."""
    shape: tuple[int, ...]
    """Elements of each dimension, the slowest first."""
    offset: int
    """Position in the file, in bytes."""
    size: int
    """Bytes."""


def read_header(path: Path) -> tuple[Entry, ...]:
    """Read and check the header of a file.

    Raises:
        ConvertError: It is no safetensors file, or it is damaged.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_PREFIX), "little")
        if size < _PREFIX or not 2 <= length <= min(_MAX_HEADER, size - _PREFIX):
            raise ConvertError(f"{path.name} is no safetensors file, or it is cut off")
        return parse_header(file.read(length), size - _PREFIX - length, path.name)


def parse_header(header: bytes, data_size: int, name: str) -> tuple[Entry, ...]:
    """Check a header.

    Args:
        header: The JSON, which may end in spaces.
        data_size: Bytes that follow it in the file.
        name: Of the file, for messages.

    Raises:
        ConvertError: A line is malformed, or the data has holes, overlaps or another length.
    """
    lines = parse_json(header, f"the header of {name}")
    lines.pop("__metadata__", None)
    if len(lines) > _MAX_TENSORS:
        raise ConvertError(
            f"{name} claims {len(lines)} tensors; at most {_MAX_TENSORS} are allowed"
        )
    start = _PREFIX + len(header)
    entries = sorted(
        (_entry(key, line, start, name) for key, line in lines.items()),
        key=lambda entry: (entry.offset, entry.size),
    )
    end = start
    for entry in entries:
        if entry.offset != end:
            raise ConvertError(
                f"{name}: the data before {_shown(entry.name)} overlaps or has a hole"
            )
        end += entry.size
    if end != start + data_size:
        problem = "is cut off" if end > start + data_size else "has more data than its header says"
        raise ConvertError(f"{name} {problem}")
    return tuple(entries)


def _entry(key: str, line: Any, start: int, file: str) -> Entry:
    what = f"{file}: tensor {_shown(key)}"
    if not key or len(key) > _MAX_NAME or not key.isprintable():
        raise ConvertError(f"{file} has a tensor whose name is empty, too long or not printable")
    if not isinstance(line, dict) or set(line) != {"dtype", "shape", "data_offsets"}:
        raise ConvertError(f"{what} has no proper dtype, shape and data_offsets")
    dtype, shape, offsets = line["dtype"], line["shape"], line["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ConvertError(f"{what} is of an unknown type")
    if not _whole(shape) or len(shape) > _MAX_DIMENSIONS:
        raise ConvertError(f"{what} has an invalid shape")
    if not _whole(offsets) or len(offsets) != 2 or offsets[1] < offsets[0]:
        raise ConvertError(f"{what} has invalid offsets")
    size = offsets[1] - offsets[0]
    if prod(shape) * DTYPES[dtype] != size:
        raise ConvertError(f"{what} has {size} bytes, which its shape and type contradict")
    return Entry(key, dtype, tuple(shape), start + offsets[0], size)


def _whole(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 1 << 48 for n in value)


def _shown(name: str) -> str:
    return repr(name[:80])
