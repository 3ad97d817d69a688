"""A fake engine in the place of a model: each byte is a token."""

import pytest

from actorllm.actors.runner.engine.types import EngineSettings
from actorllm.actors.runner.messages import Generate
from actorllm.actors.runner.simulated import SimulatedHost
from actorllm.protocol.messages.generation import GenerateRequest
from actorllm.protocol.options import Options
from tests.simulation.system import make_model

WINDOW = 128


class Desk:
    """A host and what its model has told about itself."""

    def __init__(self, *, embedding=False) -> None:
        settings = EngineSettings(model_path="/m", num_ctx=WINDOW, embedding=embedding)
        self.host = SimulatedHost(settings)
        self.loaded = self.host._engine.load()


@pytest.fixture
async def desk():
    return Desk()


@pytest.fixture
async def embedder():
    return Desk(embedding=True)


@pytest.fixture
def generate():
    """Makes the work for a runner; what is no field of the request is said with its name."""

    def make(kind="generate", *, model=None, options=None, **request):
        request = GenerateRequest("m", kind, **request)
        return Generate(request, model or make_model("m"), Options(**(options or {})), now=0.0)

    return make
