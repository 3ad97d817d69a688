"""How an engine is set up for a load: slots, windows, batches, and the memory that it takes."""

import attrs

from actorllm.actors.library.memory import MemoryNeed, predict
from actorllm.actors.runner.engine.attention import PLAIN_ROWS, takes_plain
from actorllm.actors.runner.engine.ladder import RUNGS, at_rung
from actorllm.actors.runner.engine.types import Archiving, EngineSettings
from actorllm.actors.scheduler.room import SHARE_BESIDE_OTHERS
from actorllm.actors.scheduler.rungs import machine_id
from actorllm.actors.scheduler.terms import DEFAULT_BATCH, Terms
from actorllm.protocol.messages.models import ResolvedModel
from actorllm.protocol.settings import Settings

__all__ = ["engine_settings", "fitted", "need", "rung_notice"]

_LONGEST_EMBEDDING_BATCH = 2048
_EMBEDDING_SLOTS = 32
"""Inputs that share a batch, and requests that do so. They cost no cells of their own."""
_MOST_SLOTS = 16
"""Slots of a load whose number nobody has set; the engine takes fewer if it is slow."""
_USUAL_WINDOWS = 4
"""Windows of context that they share."""
_PLENTY = 1 / 8
"""Of the free memory, what the slots' own windows may take beyond a pool."""
_SMALLEST_BATCH = 32
"""llama.cpp aborts when a batch has no room for one token of each slot; tiny ones only cost time."""


def engine_settings(
    model: ResolvedModel, terms: Terms, settings: Settings, rung: int
) -> EngineSettings:
    """The settings of an engine for these terms, on a rung of the degrade ladder."""
    flash = settings.flash_attention
    batch = terms.num_batch or DEFAULT_BATCH
    if terms.embedding:
        batch = min(_LONGEST_EMBEDDING_BATCH, terms.num_ctx)
    slots = settings.num_parallel or _MOST_SLOTS
    unordered = not (terms.deterministic or terms.embedding)
    if terms.embedding:
        slots = _EMBEDDING_SLOTS
    wanted = EngineSettings(
        model_path=model.weights.path,
        splits=tuple(blob.path for blob in model.splits),
        num_ctx=terms.num_ctx,
        slots=slots,
        num_batch=max(_SMALLEST_BATCH, slots, min(batch, terms.num_ctx)),
        threads=terms.threads or 0,
        kv_type=settings.kv_cache_type,
        flash_attention="auto" if flash is None else "on" if flash else "off",
        use_mmap=terms.use_mmap,
        num_gpu=-1 if terms.num_gpu is None else terms.num_gpu,
        main_gpu=terms.main_gpu or 0,
        adapters=terms.adapters,
        embedding=terms.embedding,
        deterministic=terms.deterministic,
        unordered=unordered,
        saved_bytes=settings.kv_memory,
        archive=_archiving(model, settings),
    )
    return at_rung(wanted, rung)


def _archiving(model: ResolvedModel, settings: Settings) -> Archiving | None:
    if settings.kv_disk <= 0:
        return None
    parts = (model.weights, *model.splits, *model.adapters)
    key = " ".join((*(part.digest for part in parts), machine_id()))
    return Archiving(folder=str(settings.state / "kv"), key=key, quota=settings.kv_disk)


def fitted(
    model: ResolvedModel, engine: EngineSettings, settings: Settings, free: int, idle: int
) -> EngineSettings:
    """Choose how many windows of context a load has room for, where nobody has said it.

    Up to 16 slots have a window each where there is memory in plenty; else they share a pool of a
    few windows. A deterministic load has a slot for each of the windows.

    Args:
        model: What is loaded.
        engine: How it would be loaded.
        settings: Of the daemon.
        free: Bytes of memory that are free.
        idle: Bytes that idle models could make free.
    """
    if settings.num_parallel or engine.embedding:
        return engine

    def with_windows(count: int) -> EngineSettings:
        if engine.unordered:
            cells = count * engine.num_ctx
            return attrs.evolve(engine, unified=True, cells=cells, measured=True)
        return attrs.evolve(engine, slots=count)

    choices = [with_windows(count) for count in range(_USUAL_WINDOWS, 0, -1)]
    if engine.unordered:
        own = attrs.evolve(engine, measured=True)
        more = need(model, own).total - need(model, choices[0]).total
        if more <= free * _PLENTY and need(model, own).total <= free * SHARE_BESIDE_OTHERS:
            return own
    for memory in (free, free + idle):
        for choice in choices:
            if need(model, choice).total <= memory * SHARE_BESIDE_OTHERS:
                return choice
    return choices[-1]


def rung_notice(rung: int) -> tuple[str, ...]:
    """What a request is told of the rung that its runner stands on."""
    return (f"degraded to stay alive: {RUNGS[rung].text}",) if rung else ()


def need(model: ResolvedModel, engine: EngineSettings) -> MemoryNeed:
    """The memory that a load will take."""
    plain = takes_plain(engine, model.memory.heads)
    return predict(
        model.memory,
        # All inputs of a batch of embeddings share its cells.
        context=engine.num_batch if engine.embedding else _cells(engine),
        slots=1 if engine.embedding else engine.slots,
        batch=min(engine.num_batch, PLAIN_ROWS) if plain else engine.num_batch,
        kv_type=engine.kv_type,
        flash_attention=engine.flash_attention != "off" and not plain,
    )


def _cells(engine: EngineSettings) -> int:
    """Count the cells of a load, and those of the prompt that it reads apart."""
    apart = engine.unordered and not engine.unified and engine.slots > 1
    return (engine.unified and engine.cells) or engine.num_ctx * (engine.slots + apart)
