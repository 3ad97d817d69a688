"""A real registry with the seedling in it, and a real downloader under a real supervisor."""

from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.downloader.actor import Downloader
from actorllm.actors.downloader.retry import Policy
from actorllm.actors.kernel import ChildSpec, Node, Supervisor
from actorllm.actors.library.catalog import BUILTIN_ROOT, Catalog
from actorllm.protocol.messages.transfers import Pull
from actorllm.protocol.names import DEFAULT_HOST
from tests.registry.proxy import proxy_to
from tests.registry.server import real_registry

QUICK = Policy(tries=4, first=0.01, cap=0.05, stall=0.5)
SEEDLING = BUILTIN_ROOT / "manifests" / DEFAULT_HOST / "library" / "seedling" / "latest"


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    """A registry with the seedling as `library/seedling`."""
    with real_registry(tmp_path_factory.mktemp("registry")) as running:
        running.put_installed("library/seedling", BUILTIN_ROOT, SEEDLING)
        yield running


@pytest.fixture
async def proxy(registry):
    """A proxy in front of the registry."""
    async with proxy_to(registry.host) as running:
        yield running


@pytest.fixture
def catalog(tmp_path):
    """A store without the models of the program, so that everything must be fetched."""
    return Catalog(BlobStore(tmp_path / "models"), None)


@asynccontextmanager
async def running(catalog, state, **options):
    """Run a downloader; returns its node."""
    spec = ChildSpec(
        "downloader",
        partial(Downloader, catalog, state, **{"policy": QUICK, "streams": 4} | options),
        kind="supervisor",
    )
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


async def pull(node, model, **fields):
    """Pull; returns the steps."""
    steps = []
    async with node.ref("/downloader").stream(Pull(model, insecure=True, **fields)) as items:
        async for item in items:
            steps.append(item)
    return steps


def words(steps):
    """What the steps say, without repetitions."""
    return list(dict.fromkeys(step.status for step in steps))
