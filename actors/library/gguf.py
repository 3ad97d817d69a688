"""GGUF files: metadata and the table of tensors, read without trusting a byte.

A header is checked from end to end before any native library sees the file: magic, version,
counts, sizes of strings and arrays, types, alignment, and that each tensor lies inside the file.
Arrays are skipped, not decoded: `Gguf.array` reads one when it is asked for.

Layout (versions 2 and 3, little-endian): magic, version, number of tensors, number of key-value
pairs, the pairs, the tensors' names, shapes, types and offsets, padding, data. Source: the GGUF
specification in the ggml repository.
"""

from collections.abc import Mapping
from math import prod
from mmap import ACCESS_READ, mmap
from pathlib import Path
from types import MappingProxyType
from typing import Final

import attrs

from actorllm.actors.library.ggml_types import GGML_TYPES
from actorllm.actors.library.gguf_cursor import SCALARS, Cursor, GgufError

__all__ = ["ArrayAt", "Gguf", "GgufError", "Scalar", "Tensor", "is_gguf", "read_gguf"]

MAGIC: Final = b"GGUF"

_STRING: Final = 8
_ARRAY: Final = 9
_MAX_PAIRS: Final = 1 << 16
_MAX_TENSORS: Final = 1 << 18
_MAX_KEY: Final = 65_535
_MAX_TENSOR_NAME: Final = 63
_MAX_DIMENSIONS: Final = 4
_MAX_NESTING: Final = 4
_MAX_ALIGNMENT: Final = 1 << 20

Scalar = int | float | bool | str


@attrs.frozen
class ArrayAt:
    """An array of the metadata that has not been decoded."""

    kind: int
    """Number of its elements' type."""
    count: int
    offset: int
    """Position of its first element in the file, in bytes."""


@attrs.frozen
class Tensor:
    """One line of the table of tensors."""

    name: str
    type: str
    """Name of its GGML type, like `Q8_0`."""
    shape: tuple[int, ...]
    """Elements of each dimension, the fastest first."""
    offset: int
    """Position in the file, in bytes."""
    size: int
    """Bytes."""

    @property
    def elements(self) -> int:
        return prod(self.shape)


@attrs.frozen
class Gguf:
    """A header that holds what it promises."""

    path: Path
    version: int
    metadata: Mapping[str, Scalar | ArrayAt]
    tensors: tuple[Tensor, ...]
    alignment: int
    """Of the tensors' data, in bytes."""
    size: int
    """Of the whole file, in bytes."""

    def text(self, key: str) -> str | None:
        """Return a string value, None if there is none."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else None

    def integer(self, key: str) -> int | None:
        """Return an integer value, None if there is none."""
        value = self.metadata.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def array(self, key: str) -> list[object]:
        """Decode an array of the metadata; a missing one is empty, a scalar is an array of one."""
        value = self.metadata.get(key)
        if value is None:
            return []
        if not isinstance(value, ArrayAt):
            return [value]
        with self.path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            return _decode_array(Cursor(data, value.offset), value.kind, value.count, key)

    @property
    def architecture(self) -> str:
        return self.text("general.architecture") or ""

    @property
    def parameter_count(self) -> int:
        return sum(tensor.elements for tensor in self.tensors)

    @property
    def split_count(self) -> int:
        """Files that the model is spread over; 1 if it is whole."""
        return self.integer("split.count") or 1

    @property
    def split_number(self) -> int:
        """Which of these files this is, from 0."""
        return self.integer("split.no") or 0

    @property
    def file_type(self) -> int | None:
        return self.integer("general.file_type")


def is_gguf(path: Path) -> bool:
    """Tell by the first four bytes whether a file claims to be a GGUF file."""
    with path.open("rb") as file:
        return file.read(4) == MAGIC


def read_gguf(path: Path) -> Gguf:
    """Read and check the header of a GGUF file.

    The file must not be shortened while it is read: blobs never are.

    Raises:
        GgufError: It is no GGUF file, it is damaged, or it exceeds a bound.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        if file.read(4) != MAGIC:
            raise GgufError("supplied file was not in GGUF format")
        with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            return _read(Cursor(data, 4), path, len(data))


def _read(cursor: Cursor, path: Path, size: int) -> Gguf:
    version = _read_version(cursor)
    tensor_count = _read_count(cursor, "tensors", _MAX_TENSORS)
    pair_count = _read_count(cursor, "metadata entries", _MAX_PAIRS)
    metadata: dict[str, Scalar | ArrayAt] = {}
    for _ in range(pair_count):
        key = _read_name(cursor, "metadata key", _MAX_KEY)
        if key in metadata:
            raise GgufError(f"metadata key {key!r} occurs twice")
        metadata[key] = _read_value(cursor, key)
    alignment = _alignment(metadata)
    tensors = _read_tensors(cursor, tensor_count, alignment, size)
    return Gguf(path, version, MappingProxyType(metadata), tensors, alignment, size)


def _read_version(cursor: Cursor) -> int:
    version = cursor.u32("version")
    if version not in (2, 3):
        if version and not version & 0xFFFF:
            raise GgufError("big-endian GGUF files are not supported; convert it again")
        raise GgufError(f"GGUF version {version} is not supported; versions 2 and 3 are")
    return version


def _read_count(cursor: Cursor, what: str, limit: int) -> int:
    count = cursor.u64(f"number of {what}")
    if count > limit:
        raise GgufError(f"file claims {count} {what}; at most {limit} are allowed")
    return count


def _read_name(cursor: Cursor, what: str, limit: int) -> str:
    raw = cursor.string(what, limit)
    try:
        return raw.decode()
    except UnicodeDecodeError as e:
        raise GgufError(f"{what} {raw[:40]!r} is not UTF-8") from e


def _read_value(cursor: Cursor, key: str) -> Scalar | ArrayAt:
    what = f"value of {key!r}"
    kind = cursor.u32(what)
    if kind == _STRING:
        return cursor.string(what).decode(errors="replace")
    if kind == _ARRAY:
        element, count = _array_head(cursor, what, 1)
        found = ArrayAt(element, count, cursor.pos)
        _skip_array(cursor, element, count, what, 1)
        return found
    if kind not in SCALARS:
        raise GgufError(f"{what} has the unknown type {kind}")
    return cursor.scalar(kind, what)


def _least(kind: int, what: str) -> int:
    """Return the fewest bytes that an element of an array can take."""
    if kind == _STRING:
        return 8
    if kind == _ARRAY:
        return 12
    if kind not in SCALARS:
        raise GgufError(f"{what} has elements of the unknown type {kind}")
    return SCALARS[kind].size


def _skip_array(cursor: Cursor, kind: int, count: int, what: str, depth: int) -> None:
    if kind == _STRING:
        cursor.strings(count, what)
    elif kind == _ARRAY:
        for _ in range(count):
            element, inner = _array_head(cursor, what, depth + 1)
            _skip_array(cursor, element, inner, what, depth + 1)
    else:
        cursor.skip(count * SCALARS[kind].size)


def _decode_array(cursor: Cursor, kind: int, count: int, what: str, depth: int = 1) -> list[object]:
    if kind == _STRING:
        strings: list[object] = []
        cursor.strings(count, what, lambda raw: strings.append(raw.decode(errors="replace")))
        return strings
    if kind == _ARRAY:
        return [_decode_inner(cursor, what, depth + 1) for _ in range(count)]
    layout = SCALARS[kind]
    raw = cursor.take(count * layout.size, what)
    return [value for (value,) in layout.iter_unpack(raw)]


def _decode_inner(cursor: Cursor, what: str, depth: int) -> list[object]:
    kind, count = _array_head(cursor, what, depth)
    return _decode_array(cursor, kind, count, what, depth)


def _array_head(cursor: Cursor, what: str, depth: int) -> tuple[int, int]:
    """Read the type and the number of an array's elements; `depth` counts from 1."""
    if depth > _MAX_NESTING:
        raise GgufError(f"{what} has arrays nested deeper than {_MAX_NESTING}")
    kind = cursor.u32(what)
    return kind, cursor.array_length(_least(kind, what), what)


def _alignment(metadata: Mapping[str, Scalar | ArrayAt]) -> int:
    value = metadata.get("general.alignment", 32)
    if type(value) is not int or value & (value - 1) or not 1 <= value <= _MAX_ALIGNMENT:
        shown = value if isinstance(value, int | float | str) else "an array"
        raise GgufError(f"general.alignment is {str(shown)[:40]!r}, which is no power of two")
    return value


def _read_tensors(cursor: Cursor, count: int, alignment: int, size: int) -> tuple[Tensor, ...]:
    tensors: dict[str, Tensor] = {}
    for _ in range(count):
        tensor = _read_tensor(cursor)
        if tensor.name in tensors:
            raise GgufError(f"tensor {tensor.name!r} occurs twice")
        tensors[tensor.name] = tensor
    start = -(-cursor.pos // alignment) * alignment
    return tuple(_place(tensor, start, alignment, size) for tensor in tensors.values())


def _read_tensor(cursor: Cursor) -> Tensor:
    """Read one line of the table; its offset is still relative to the data."""
    name = _read_name(cursor, "tensor name", _MAX_TENSOR_NAME)
    dimensions = cursor.u32("number of dimensions")
    if dimensions > _MAX_DIMENSIONS:
        raise GgufError(f"tensor {name!r} has {dimensions} dimensions; at most 4 are allowed")
    shape = tuple(cursor.u64("shape of a tensor") for _ in range(dimensions))
    number = cursor.u32("type of a tensor")
    offset = cursor.u64("offset of a tensor")
    kind = GGML_TYPES.get(number)
    if kind is None:
        raise GgufError(f"tensor {name!r} has the unknown type {number}")
    elements = prod(shape)
    if elements >= 1 << 62:
        raise GgufError(f"tensor {name!r} has {elements} elements, more than any file holds")
    if shape and shape[0] % kind.block:
        raise GgufError(f"tensor {name!r} has rows of {shape[0]}, no multiple of {kind.block}")
    return Tensor(name, kind.name, shape, offset, elements // kind.block * kind.size)


def _place(tensor: Tensor, start: int, alignment: int, size: int) -> Tensor:
    if tensor.offset % alignment:
        raise GgufError(f"tensor {tensor.name!r} is not aligned to {alignment} bytes")
    if start + tensor.offset + tensor.size > size:
        raise GgufError(f"tensor {tensor.name!r} reaches past the end of the file: it is cut short")
    return attrs.evolve(tensor, offset=start + tensor.offset)
