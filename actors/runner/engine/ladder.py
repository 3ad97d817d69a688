"""The degrade ladder: ever safer settings for a model that takes its runner down.

A runner that dies while loading or in its first steps is started again one rung lower, and the
rung that worked is remembered for the model and the machine. Each rung keeps what the rungs
above it gave up.
"""

import attrs

from actorllm.actors.runner.engine.types import EngineSettings

__all__ = ["RUNGS", "Rung", "at_rung", "next_rung"]


@attrs.frozen
class Rung:
    """One step of the ladder: what it gives up, in words and in settings."""

    number: int
    text: str


RUNGS = (
    Rung(0, "full speed, without AMX tiles"),
    Rung(1, "without repacked weights"),
    Rung(2, "without flash attention and memory mapping, KV cache in f16"),
    Rung(3, "smallest: one slot, small batches, one thread"),
)

_SMALL_BATCH = 32


def next_rung(rung: int) -> int | None:
    """Name the rung below, or None if there is none."""
    return rung + 1 if rung + 1 < len(RUNGS) else None


def at_rung(settings: EngineSettings, rung: int) -> EngineSettings:
    """Apply all that is given up down to a rung."""
    settings = attrs.evolve(settings, rung=rung, allow_amx=False)
    if rung >= 1:
        settings = attrs.evolve(settings, extra_buffers=False)
    if rung >= 2:
        settings = attrs.evolve(settings, flash_attention="off", kv_type="f16", use_mmap=False)
    if rung >= 3:
        # An embedding model cannot split an input over batches, so its batch keeps its size.
        batch = settings.num_batch if settings.embedding else _SMALL_BATCH
        settings = attrs.evolve(
            settings, slots=1, num_batch=min(settings.num_batch, batch), threads=1
        )
    return settings
