"""Which attention a CPU computes: flash attention, or the plain one with all scores in memory.

llama.cpp's flash attention on CPUs is fast in tiles of 64 rows, and without them every row goes
through the cells by itself. Measured with half a billion parameters in Q8_0 (AVX-512, seconds of CPU
of a pass, flash / plain):

    cells      1 row         16 rows       32 rows       64 rows       128 rows
       64   0.08 / 0.07   0.26 / 0.22   0.46 / 0.39   0.68 / 0.70   1.30 / 1.35
      512   0.08 / 0.08   0.43 / 0.24   0.82 / 0.43   0.68 / 0.82   1.28 / 1.55
     2048   0.13 / 0.09   1.16 / 0.31   2.31 / 0.55   0.93 / 1.11   1.78 / 2.18

So the plain one is better for streams side by side, and for prompts that come in small parts since
others stream beside them; it costs a fifth of the speed of a long prompt alone, and memory.

It looks at every cell up to the last one that is used: in a pool at those of all slots, idle ones,
too. Eight streams behind 100 and 1,000 tokens each, a row of each, in seconds of CPU: 0.15 and 0.31
in a pool, 0.15 and 0.18 with cells of their own (flash attention: 0.16 and 0.37).
"""

from actorllm.actors.runner.engine.types import EngineSettings
from actorllm.actors.runner.engine.windows import padded

__all__ = ["PLAIN_ROWS", "TILED_FROM", "pool_cells", "takes_plain"]

PLAIN_ROWS = 128
"""Rows that are computed in one go: with more the scores take more memory, and hardly less time."""
TILED_FROM = 1024
"""Cells from which on 64 rows in a tile take no longer than 16 that are not."""
_MOST_SCORES = 1 << 29
"""Bytes."""


def pool_cells(settings: EngineSettings) -> int:
    """Count the cells of a context."""
    window = padded(settings.num_ctx)
    whole = window * settings.slots
    if settings.unified and settings.cells:
        return min(whole, max(padded(settings.cells), window))
    return whole


def takes_plain(settings: EngineSettings, heads: int) -> bool:
    """Whether a load on the CPU for which nobody has said it computes the plain attention.

    What may be deterministic needs flash attention, and so do quantized cells.

    Args:
        settings: With the window and the slots.
        heads: Of the model; 0: not known.
    """
    ordered = not (settings.unified or settings.unordered)
    if settings.flash_attention != "auto" or ordered or settings.kv_type != "f16":
        return False
    cells = pool_cells(settings) if settings.unified else padded(settings.num_ctx)
    scores = 4 * min(PLAIN_ROWS, settings.num_batch) * cells * heads
    return 0 < scores <= _MOST_SCORES
