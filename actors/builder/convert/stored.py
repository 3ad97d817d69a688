"""Tensors for the `gguf` package's writer that read their source while they are written."""

from typing import IO, Final

import attrs
import numpy as np
from gguf import GGUFWriter

from actorllm.actors.builder.convert.checkpoint import Checkpoint
from actorllm.actors.builder.convert.encode import TYPES, encoded
from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.parts import Cut

__all__ = ["add_tensor", "write"]

_BYTES: Final = {"F32": 4, "F16": 2, "BF16": 2}
_MAX_NAME: Final = 63
_MAX_DIMENSIONS: Final = 4


@attrs.frozen
class _Stored:
    """What the writer asks of an array: its size, and to be written."""

    name: str
    shape: tuple[int, ...]
    wanted: str
    cuts: tuple[Cut, ...]
    checkpoint: Checkpoint
    plus: float
    dtype = np.dtype(np.float32)  # not looked at, since the type is told

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * _BYTES[self.wanted]

    def tofile(self, file: IO[bytes]) -> None:
        for cut in self.cuts:
            raw = cut.layout(self.checkpoint.array(cut.source))
            dtype = self.checkpoint.entries[cut.source].dtype
            for chunk in encoded(raw, dtype, self.wanted, self.plus, self.name):
                chunk.tofile(file)


def add_tensor(
    gguf: GGUFWriter,
    name: str,
    shape: tuple[int, ...],
    cuts: tuple[Cut, ...],
    checkpoint: Checkpoint,
    wanted: str,
    plus: float = 0.0,
) -> int:
    """Announce a tensor, and return its bytes.

    Args:
        gguf: The file.
        name: Of the tensor in it.
        shape: The slowest dimension first.
        cuts: What it is made of, in order.
        checkpoint: Has that.
        wanted: Type of its numbers, one of `encode.TYPES`.
        plus: Added to each number.

    Raises:
        ConvertError: GGUF cannot have such a tensor.
    """
    if len(name) > _MAX_NAME or len(shape) > _MAX_DIMENSIONS or 0 in shape:
        raise ConvertError(f"tensor {name[:80]} has a name or a shape that GGUF cannot have")
    for cut in cuts:
        checkpoint.array(cut.source)  # refuses types that are not converted before all the work
    stored = _Stored(name, shape, wanted, cuts, checkpoint, plus)
    gguf.add_tensor(name, stored, raw_dtype=TYPES[wanted])
    return stored.nbytes


def write(gguf: GGUFWriter, path: str) -> None:
    """Write the file."""
    gguf.write_header_to_file(path)
    gguf.write_kv_data_to_file()
    gguf.write_tensors_to_file()
    gguf.close()
