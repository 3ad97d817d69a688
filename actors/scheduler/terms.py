"""How a model is loaded for a request, and whether what is loaded will do."""

import os

import attrs

from actorllm.actors.library.memory import MemoryNeed, predict
from actorllm.actors.runner.engine.attention import PLAIN_ROWS, takes_plain
from actorllm.actors.runner.engine.ladder import RUNGS, at_rung
from actorllm.actors.runner.engine.types import Archiving, EngineSettings
from actorllm.actors.runner.engine.windows import padded
from actorllm.actors.scheduler.room import SHARE_BESIDE_OTHERS
from actorllm.actors.scheduler.rungs import machine_id
from actorllm.protocol.messages.models import ResolvedModel
from actorllm.protocol.options import Options
from actorllm.protocol.settings import Settings

__all__ = ["DEFAULT_BATCH", "DEFAULT_CONTEXT", "Terms", "fitted", "need", "suits", "terms_of"]

DEFAULT_CONTEXT = 4096
"""Tokens of context when nobody says how many, on machines without a large GPU."""
DEFAULT_BATCH = 512
"""Rows of a pass when nobody says how many."""
_LEAST_CONTEXT = 4
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
_MOST_THREADS = os.cpu_count() or 1
"""More only wait for each other, and llama.cpp aborts when there are very many."""


@attrs.frozen
class Terms:
    """What a request wants of a load. None: whatever is there."""

    num_ctx: int
    """Tokens of each slot, already rounded and clamped."""
    context_given: bool
    num_batch: int | None
    num_gpu: int | None
    main_gpu: int | None
    use_mmap: bool | None
    threads: int | None
    embedding: bool
    adapters: tuple[str, ...]
    deterministic: bool
    """Wanted: that the same bytes can be promised. Of a load: that it can do no more for it."""

    def window(self, slot: int) -> int:
        """Give the tokens of context that a deterministic request has of a slot's; 0: it chooses.

        It may not take more because there is more: it would be cut and shifted at another place.
        """
        return min(self.num_ctx, slot) if self.deterministic else 0


def terms_of(model: ResolvedModel, options: Options, settings: Settings) -> Terms:
    """What the options of a request ask of the load of its model; what is 0 or less is not given.

    A deterministic request leaves nothing open that its bytes depend on: else they would be others
    where another request has loaded the model.
    """
    deterministic = (options.deterministic or settings.deterministic) and model.pooling is None
    given = _given(options.num_ctx)
    wanted = given or settings.context_length or DEFAULT_CONTEXT
    trained = model.context_length or wanted
    num_ctx = max(_LEAST_CONTEXT, min(wanted, trained))
    return Terms(
        num_ctx=padded(num_ctx),
        context_given=deterministic or given is not None,
        num_batch=_given(options.num_batch) or (DEFAULT_BATCH if deterministic else None),
        num_gpu=options.num_gpu if options.num_gpu >= 0 else None,
        main_gpu=options.main_gpu,
        use_mmap=options.use_mmap,
        threads=min(options.num_thread, _MOST_THREADS) if options.num_thread > 0 else None,
        embedding=model.pooling is not None,
        adapters=tuple(a.path for a in model.adapters),
        deterministic=deterministic,
    )


def _given(number: int | None) -> int | None:
    return number if number is not None and number > 0 else None


def suits(loaded: Terms, wanted: Terms) -> bool:
    """Whether a runner that was loaded on some terms serves a request; if not, it is reloaded.

    A smaller or equal context never reloads, and what a request leaves open never does.
    """
    if wanted.adapters != loaded.adapters:
        return False
    if wanted.context_given and wanted.num_ctx > loaded.num_ctx:
        return False
    if wanted.deterministic and not loaded.deterministic:
        return False
    pairs = (
        (wanted.num_batch, loaded.num_batch or DEFAULT_BATCH),
        (wanted.num_gpu, loaded.num_gpu),
        (wanted.main_gpu, loaded.main_gpu),
        (wanted.use_mmap, loaded.use_mmap),
        (wanted.threads, loaded.threads),
    )
    return all(want is None or want == have for want, have in pairs)


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
    return (engine.unified and engine.cells) or engine.num_ctx * engine.slots
