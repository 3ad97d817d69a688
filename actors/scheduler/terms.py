"""How a model is loaded for a request, and whether what is loaded will do."""

import os

import attrs

from actorllm.actors.runner.engine.windows import padded
from actorllm.protocol.messages.models import ResolvedModel
from actorllm.protocol.options import Options
from actorllm.protocol.settings import Settings

__all__ = ["DEFAULT_BATCH", "DEFAULT_CONTEXT", "Terms", "suits", "terms_of"]

DEFAULT_CONTEXT = 4096
"""Tokens of context when nobody says how many, on machines without a large GPU."""
DEFAULT_BATCH = 512
"""Rows of a pass when nobody says how many."""
_LEAST_CONTEXT = 4
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
