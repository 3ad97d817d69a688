"""Leases on loaded models.

A lease is a stream that its holder keeps open: the first item names the runner, leaving the
stream gives the slot back. So no permit can outlive the scope that asked for it.
"""

from actorllm.protocol.codec import Ask, Stream, Value, message
from actorllm.protocol.messages.models import ModelInfo, ResolvedModel
from actorllm.protocol.options import Options

__all__ = [
    "Acquire",
    "Lease",
    "ListLoaded",
    "LoadedList",
    "LoadedModel",
    "Proven",
    "ProvenNoted",
    "Unload",
    "Unloaded",
]


@message
class Lease(Value):
    """A slot of a runner."""

    id: int
    runner: str
    """Path of the runner actor."""
    incarnation: int
    num_ctx: int
    """Tokens of context that each slot has."""
    load_duration: int
    """Nanoseconds that the load took for this request; small if it was loaded."""
    embeds: bool = False
    unproven: bool = False
    """Whether the scheduler wants to hear (`Proven`) when the first token has come."""
    notices: tuple[str, ...] = ()
    """Degraded settings of the runner, a line each."""
    window: int = 0
    """Tokens of context that the request must keep to, whatever it says; 0: it chooses."""


@message
class Acquire(Stream[Lease]):
    """Wait for a slot on a runner for the model; loads it when needed.

    Refused with 503 when too many wait, and with 500 when the model cannot be loaded.
    """

    model: ResolvedModel
    options: Options
    client: str
    keep_alive: int | None = None
    """Nanoseconds; negative: forever; None: the last value for the model, else the default."""
    suspect: bool = False
    """A runner died under this request: until it is proven, no other suspect runs beside it."""


@message
class ProvenNoted(Value):
    """Heard."""


@message
class Proven(Ask[ProvenNoted]):
    """The first token of an unproven lease has come."""

    lease: int


@message
class LoadedModel:
    """A row of `ps`."""

    name: str
    digest: str
    size: int
    size_vram: int
    expires_at: int
    """Unix nanoseconds."""
    context_length: int
    details: ModelInfo


@message
class LoadedList(Value):
    """What is loaded, latest expiry first."""

    models: tuple[LoadedModel, ...]


@message
class ListLoaded(Ask[LoadedList]):
    """What is loaded?"""


@message
class Unloaded(Value):
    """Whether there was something to unload."""

    found: bool


@message
class Unload(Ask[Unloaded]):
    """Unload a model when its running requests have ended."""

    weights: str
    """Digest of the weights."""
