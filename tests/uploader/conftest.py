"""A real uploader under a real supervisor, over the store that comes with the package."""

from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.kernel import ChildSpec, Node, Supervisor
from actorllm.actors.library.catalog import Catalog
from actorllm.actors.uploader.actor import Uploader
from actorllm.protocol.messages.transfers import Push
from actorllm.protocol.names import parse_name
from tests.registry.fixtures import QUICK, other, proxy, registry, stub

__all__ = ["other", "proxy", "registry", "stub"]

CHUNK = 1_000_000


@pytest.fixture
def catalog(tmp_path):
    return Catalog(BlobStore(tmp_path / "models"))


@asynccontextmanager
async def running(catalog, state, **options):
    """Run an uploader; returns its node."""
    options = {"policy": QUICK, "streams": 4, "chunk": lambda _: CHUNK} | options
    spec = ChildSpec("uploader", partial(Uploader, catalog, state, **options), kind="supervisor")
    node = Node("test", seed=1)
    async with trio.open_nursery() as nursery:
        await nursery.start(node.run, ChildSpec("root", lambda: Supervisor([spec])))
        try:
            yield node
        finally:
            node.stop()


@pytest.fixture
async def node(catalog, tmp_path):
    async with running(catalog, tmp_path / "state") as node:
        yield node


@pytest.fixture
def seedling(catalog):
    """Gives the seedling a name of a registry's host; returns the model."""

    def copy(host, repository="library/pushed"):
        name = parse_name(f"{host}/{repository}")
        catalog.copy(parse_name("seedling"), name)
        return catalog.find(name)

    return copy


async def push(node, model, **fields):
    """Push; returns the steps."""
    async with node.ref("/uploader").stream(Push(model, insecure=True, **fields)) as items:
        return [item async for item in items]
