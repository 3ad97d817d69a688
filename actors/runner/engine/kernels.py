"""Which of llama.cpp's CPU kernels give a row the same bits whatever is computed beside it.

Measured on x86-64 with flash attention on, in passes of 2 to 63 rows: every type of weights does,
as long as its rows always take the same kernel. Three things make the kernel depend on the rows:

- Repacked weights of some types: three rows or fewer, and what is left over of a multiple of four,
  take another kernel than the rest. Deterministic loads of these types are without them.
- Tiles: from 8 rows on, K- and I-quants are multiplied in tiles. Where all of a model is, passes
  are kept to one side of the 8 rows (see `batching`). Where only a few rows of a pass go through
  such weights, that would help nothing; there, tiles are refused: `GGML_CPU_TILED_MM=0` in the
  environment switches them off, and llama.cpp reads it once per process.
- Floats: a single row is multiplied by another kernel than two or more, which sums in another order.
  So passes have two rows there, and two of which logits are wanted, at least.
"""

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from actorllm.actors.library.gguf import GgufError, Tensor, read_gguf

__all__ = ["Weights", "refuse_tiles", "weights_of"]

_VARIABLE = "GGML_CPU_TILED_MM"
_STEADY = frozenset({"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"})
"""Types of which all kernels sum alike."""
_REPACKED = frozenset({"Q2_K", "Q4_K", "IQ4_NL", "MXFP4"})
"""Of the other types, those that are repacked on x86."""
_FLOATS = frozenset({"F32", "F16", "BF16"})
"""Types of which a single row has a kernel of its own that shows."""
_OUTPUT = frozenset({"output.weight", "token_embd.weight"})
"""Only applied to rows whose logits are wanted: one of each slot."""
_LONG_ROPE = "rope_factors_long.weight"
_TILE_ROWS = 8

_tiles_at_first_load: bool | None = None


class Weights:
    """The types of a model's matrices, as far as the kernels matter.

    Args:
        tensors: Those of the model's file; None: they are not known.
    """

    def __init__(self, tensors: Sequence[Tensor] | None) -> None:
        self.known = tensors is not None
        self.long_rope = any(t.name == _LONG_ROPE for t in tensors or ())
        """Whether the context chooses between two sets of frequencies."""
        matrices = [t for t in tensors or () if len(t.shape) > 1 and t.type not in _STEADY]
        self._types = {t.type for t in matrices}
        self.floating = not self.known or any(
            len(t.shape) > 1 and t.type in _FLOATS for t in tensors or ()
        )
        """Whether a single row may have other bits than one of two."""
        self._only_output = {t.name for t in matrices} <= _OUTPUT

    @property
    def repacks_unsteadily(self) -> bool:
        """Whether repacked weights would make the bits depend on the number of rows."""
        return not self.known or bool(self._types & _REPACKED)

    @property
    def tiled_rows(self) -> int:
        """Rows from which on a pass computes otherwise; 0: the rows do not matter."""
        return _TILE_ROWS if self._types and not self._only_output else 0

    @property
    def tiled_in_part(self) -> bool:
        """Whether tiles are taken, or may be, for some of the rows of a pass."""
        return not self.known or (bool(self._types) and self._only_output)

    def steady(self, *, repacked: bool, tiles: bool, slots: int) -> bool:
        """Whether a row has the same bits in every orderly pass.

        Args:
            repacked: Whether llama.cpp may repack weights.
            tiles: Whether it may compute in tiles.
            slots: Rows whose logits are wanted in one pass, at most.
        """
        if platform.machine().lower() not in ("x86_64", "amd64"):
            return False
        if repacked and self.repacks_unsteadily:
            return False
        few = self.known and slots < _TILE_ROWS
        return few or not (tiles and self.tiled_in_part)


def weights_of(paths: Sequence[str]) -> Weights:
    """Look at all files of a model."""
    tensors: list[Tensor] = []
    try:
        for path in paths:
            header = read_gguf(Path(path))
            tensors += header.tensors
    except (OSError, GgufError):
        return Weights(None)
    return Weights(tensors if header.split_count == len(paths) else None)


def refuse_tiles(*, wanted: bool) -> bool:
    """Have tiles refused in this process, if that is wanted; tell whether they are refused.

    The first load of a process decides, since llama.cpp asks only once.
    """
    global _tiles_at_first_load  # noqa: PLW0603 -- llama.cpp has it so
    if _tiles_at_first_load is None:
        if wanted:
            os.environ[_VARIABLE] = "0"
        _tiles_at_first_load = os.environ.get(_VARIABLE) != "0"
    return not _tiles_at_first_load
