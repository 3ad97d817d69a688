"""The daemon's tree over invented models: real queue, jobs, scheduler and runners."""

from pathlib import Path

import trio

from actorllm.actors.kernel import Actor, ChildSpec, Intensity, Supervisor
from actorllm.actors.queue.actor import Queue
from actorllm.actors.scheduler.actor import Scheduler
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.models import (
    BlobAt,
    MemoryShape,
    ModelInfo,
    ResolvedModel,
    ResolveModel,
)
from actorllm.protocol.settings import Settings

ENTRY = "actorllm.actors.runner.simulated:SimulatedRunner"
MIB = 1 << 20
KEEP_ALIVE = 5.0


def make_model(name: str, **changes) -> ResolvedModel:
    """A model of 1 MiB whose weights are its own; a model for embeddings if it has `pooling`."""
    weights = changes.pop("weights", name)
    facts = {
        "name": name,
        "full_name": f"registry.ollama.ai/library/{name}",
        "digest": f"digest-of-{name}",
        "weights": BlobAt(f"sha256:{weights}", f"/blobs/{weights}", MIB),
        "projectors": (),
        "adapters": (),
        "drafts": (),
        "details": ModelInfo(family="fake"),
        "renderer": "",
        "parser": "",
        "capabilities": ("completion",),
        "template": None,
        "native": True,
        "chat_template": None,
        "harmony": False,
        "system": "",
        "params": {},
        "messages": (),
        "architecture": "fake",
        "context_length": 1024,
        "parameter_count": 1000,
        "pooling": None,
        "memory": MemoryShape(weights=MIB),
    }
    return ResolvedModel(**(facts | changes))


class Shelf(Actor):
    """Stands in for the library: models in memory."""

    def __init__(self, *models: ResolvedModel) -> None:
        self._models = {model.name: model for model in models}

    async def resolve(self, m: ResolveModel) -> ResolvedModel:
        model = self._models.get(m.model)
        if model is None:
            raise Refused.because(404, f"model '{m.model}' not found")
        return model


async def in_place(work, *args):
    """Does at once what else a thread would."""
    await trio.lowlevel.checkpoint()
    return work(*args)


def make_settings(state: Path, **changes) -> Settings:
    return Settings(models=state, state=state, **({"keep_alive": KEEP_ALIVE} | changes))


def daemon(
    settings: Settings,
    *models: ResolvedModel,
    entry: str = ENTRY,
    memory=lambda: 1 << 30,
    max_jobs: int = 64,
) -> ChildSpec:
    """What `actors.daemon.tree` lists, without what needs a disk or a socket."""
    children = [
        ChildSpec("library", lambda: Shelf(*models)),
        ChildSpec(
            "scheduler",
            lambda: Scheduler(settings, entry=entry, memory=memory, in_thread=in_place),
            kind="supervisor",
            shutdown=15.0,
        ),
        ChildSpec("queue", lambda: Queue(max_jobs), kind="supervisor", shutdown=3.0),
    ]
    return ChildSpec(
        "root",
        lambda: Supervisor(children, intensity=Intensity(restarts=20, seconds=60)),
        kind="supervisor",
    )
