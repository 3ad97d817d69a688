"""What a runner is asked to do for a request: its options made definite. Pure but for the seed."""

import random
from collections.abc import Iterable, Mapping
from typing import Any

from actorllm.actors.queue.checks import effective_think
from actorllm.actors.runner.messages import Embed, Generate
from actorllm.protocol.codec import evolve
from actorllm.protocol.messages.generation import EmbedRequest, GenerateRequest
from actorllm.protocol.messages.models import ResolvedModel
from actorllm.protocol.messages.scheduling import Lease
from actorllm.protocol.options import Options, merge

__all__ = ["definite", "embedding_work", "generation_work", "ignored_options", "within"]


def definite(
    model: ResolvedModel, defaults: Mapping[str, Any], asked: Mapping[str, Any]
) -> tuple[Options, tuple[str, ...]]:
    """Merge the layers of options; choose a seed, so that a resumed stream has the same.

    Returns:
        The options, and a notice for each key that was ignored.
    """
    options, ignored = merge(Options(), model.params, defaults, asked)
    if options.seed < 0:
        options = evolve(options, seed=random.SystemRandom().getrandbits(31))
    return options, ignored_options(ignored)


def ignored_options(keys: Iterable[str]) -> tuple[str, ...]:
    """Tell of keys that are no options, a line each."""
    return tuple(f"option {key!r} is unknown and was ignored" for key in keys)


def generation_work(
    request: GenerateRequest, model: ResolvedModel, options: Options, now: float
) -> Generate:
    """Say what to generate.

    Args:
        request: What the client wants.
        model: Which it wants it of.
        options: Made definite; those of the request travel no further.
        now: Unix seconds of the request.
    """
    think = effective_think(request, model)
    bare = evolve(request, think=think, options={}, default_options={})
    return Generate(request=bare, model=model, options=options, now=now)


def embedding_work(request: EmbedRequest, options: Options) -> Embed:
    """Say what to embed."""
    return Embed(
        inputs=request.inputs,
        truncate=request.truncate,
        normalize=request.normalize,
        dimensions=request.dimensions,
        num_ctx=options.num_ctx,
        query=request.query,
        tokens=request.tokens,
    )


def within(lease: Lease, work: Generate) -> Generate:
    """Hold a work to the window that it was given."""
    if not lease.window:
        return work
    return evolve(work, options=evolve(work.options, num_ctx=lease.window))
