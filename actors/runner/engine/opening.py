"""Opening a model: load it, fill in what the settings leave open, make its context."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import attrs
import llama_cpp as cpp
import psutil

from actorllm.actors.runner.engine import log
from actorllm.actors.runner.engine.archive import FileArchive
from actorllm.actors.runner.engine.attention import pool_cells
from actorllm.actors.runner.engine.batching import ORDERLY_ROWS
from actorllm.actors.runner.engine.context import Context
from actorllm.actors.runner.engine.cores import usable_cores
from actorllm.actors.runner.engine.embed import Embedder, Pooling
from actorllm.actors.runner.engine.model import Model, Progress, load_model
from actorllm.actors.runner.engine.types import EngineError, EngineSettings, Loaded
from actorllm.actors.runner.engine.windows import SMALLEST_WINDOW, padded

__all__ = ["Opened", "open_model", "with_true_frequencies"]

_MAX_SLOTS = ORDERLY_ROWS
"""All slots must fit into one orderly pass."""
_FEW_SLOTS = 4
"""Slots that a model gets however slow it is."""
_SLOW_STEP = 0.5
"""Seconds: with more rows, a step would be so slow that nobody likes to read along."""
_FLASH: dict[int, Literal["auto", "on", "off"]] = {
    cpp.LLAMA_FLASH_ATTN_TYPE_AUTO: "auto",
    cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED: "on",
    cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED: "off",
}


@attrs.frozen(eq=False)
class Opened:
    """A model with a context for generation or one for embeddings."""

    model: Model
    context: Context | None
    embedder: Embedder | None
    loaded: Loaded
    archive: FileArchive | None = None

    def free(self) -> None:
        if self.context is not None:
            self.context.free()
        if self.embedder is not None:
            self.embedder.free()
        self.model.free()


def open_model(settings: EngineSettings, progress: Progress | None = None) -> Opened:
    """Load a model and prove that it computes.

    Raises:
        EngineError: The model cannot be loaded or used with these settings.
    """
    began = time.perf_counter()
    with ExitStack() as undo:
        model = load_model(settings, progress)
        undo.callback(model.free)
        model = attrs.evolve(model, settings=_filled_in(model))
        context = embedder = None
        if not settings.embedding:
            model, context = _generating(model, settings)
        elif model.embeds:
            embedder = Embedder(model)
        else:
            raise EngineError("this model does not support embeddings")
        loaded = _facts(model, context, embedder, time.perf_counter() - began)
        opened = Opened(model, context, embedder, loaded, _archive(model, context))
        undo.pop_all()
    return opened


def _generating(model: Model, wanted: EngineSettings) -> tuple[Model, Context]:
    """Make a context that computes, and tell the model's settings what came of the wanted ones.

    Raises:
        EngineError: It cannot be made, or does not compute.
    """
    used = own = model.settings
    with ExitStack() as undo:
        context = Context(model, tune_threads=wanted.threads <= 0 and model.on_cpu)
        undo.callback(context.free)
        context.warm_up()
        if wanted.measured:
            used = _with_quick_steps(used, context)
            own = _with_windows(used, model)
        if own == used:
            undo.pop_all()
            return attrs.evolve(model, settings=used), context
    return _generating(attrs.evolve(model, settings=own), attrs.evolve(wanted, measured=False))


def _with_windows(settings: EngineSettings, model: Model) -> EngineSettings:
    """Give each slot a window of its own, where a pool has as many cells."""
    shares = not settings.unordered or model.recurrent or model.sliding
    whole = padded(settings.num_ctx) * settings.slots
    if shares or not settings.unified or whole > pool_cells(settings):
        return settings
    return attrs.evolve(settings, unified=False, cells=0)


def _archive(model: Model, context: Context | None) -> FileArchive | None:
    """Open the folder of states; what must be the same for a state to fit goes into its key."""
    settings = model.settings
    if context is None or settings.archive is None:
        return None
    key = (
        *(settings.archive.key, model.architecture, settings.num_ctx, settings.kv_type),
        *(context.unified, settings.unified or settings.slots, context.flash_attention),
        *(settings.num_gpu, settings.main_gpu, settings.extra_buffers, model.amx),
        *attrs.astuple(context.order),
        *(cpp.__version__, cpp.llama_print_system_info().decode(errors="replace")),
    )
    return FileArchive(Path(settings.archive.folder), repr(key).encode(), settings.archive.quota)


def _filled_in(model: Model) -> EngineSettings:
    settings, trained = model.settings, model.n_ctx_train
    window = min(settings.num_ctx, trained) if settings.num_ctx > 0 else trained
    settings = attrs.evolve(settings, num_ctx=max(window, SMALLEST_WINDOW))
    if settings.unordered and (model.recurrent or model.sliding):
        # A copy of their state is of use as a whole only, but cells of a pool can be shared.
        settings = attrs.evolve(settings, unified=True)
    settings = with_true_frequencies(settings, model.short_context)
    return attrs.evolve(
        settings,
        saved_bytes=min(settings.saved_bytes, psutil.virtual_memory().available // 4),
        slots=max(1, min(settings.slots, _MAX_SLOTS)),
        num_batch=max(settings.num_batch, 1) if settings.embedding else max(settings.num_batch, 2),
        threads=settings.threads if settings.threads > 0 else usable_cores(),
    )


def with_true_frequencies(settings: EngineSettings, short: int | None) -> EngineSettings:
    """Give each slot cells of its own where a pool would have the model see a long context.

    Args:
        settings: With the window of a slot.
        short: Tokens of context up to which the model takes other frequencies than beyond; None: it
            does not tell contexts apart.
    """
    window = padded(settings.num_ctx)
    pool = max(settings.cells or window * settings.slots, window)
    if short is None or not settings.unified or not window <= short < pool:
        return settings
    slots = min(settings.slots, pool // window)
    return attrs.evolve(settings, unified=False, cells=0, slots=slots)


def _with_quick_steps(settings: EngineSettings, context: Context) -> EngineSettings:
    """Take as many slots as a step may have rows, four or more."""
    few, many = _FEW_SLOTS, settings.slots
    if many <= few:
        return settings
    one, slots = context.step_seconds(2), few
    if one <= _SLOW_STEP / 2:
        row = max(0.0, context.step_seconds(many) - one) / max(many - 2, 1)
        slots = max(few, min(many, 2 + int((_SLOW_STEP - one) / max(row, 1e-9))))
    return attrs.evolve(settings, slots=slots)


def _facts(
    model: Model, context: Context | None, embedder: Embedder | None, seconds: float
) -> Loaded:
    handle, vocab = model.handle, model.vocab
    pooling: Pooling = "none" if embedder is None else embedder.pooling
    return Loaded(
        description=model.description,
        architecture=model.architecture,
        n_ctx=model.settings.num_ctx,
        n_ctx_train=model.n_ctx_train,
        n_vocab=vocab.size,
        n_embd=cpp.llama_model_n_embd_out(handle),
        n_layer=cpp.llama_model_n_layer(handle),
        n_params=cpp.llama_model_n_params(handle),
        size=cpp.llama_model_size(handle),
        bos=vocab.bos,
        eos=vocab.eos,
        fim=vocab.fim,
        add_bos=vocab.add_bos,
        add_eos=vocab.add_eos,
        has_chat_template=cpp.llama_model_chat_template(handle, None) is not None,
        pooling=pooling,
        can_embed=embedder is not None,
        can_shift=context is not None and context.can_shift,
        recurrent=model.recurrent,
        deterministic=context is not None and context.deterministic,
        why_not_deterministic="embeddings" if context is None else context.why_not_deterministic,
        flash_attention="auto" if context is None else _FLASH[context.flash_attention],
        threads=model.settings.threads,
        amx=model.amx,
        settings=model.settings,
        seconds=seconds,
        warnings=log.logged_warnings(),
    )
