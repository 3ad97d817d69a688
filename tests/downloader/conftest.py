"""A real registry with the seedling in it, and a real downloader under a real supervisor."""

import json
import random
from contextlib import asynccontextmanager
from functools import partial

import attrs
import pytest
import trio

from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.downloader.actor import Downloader
from actorllm.actors.downloader.retry import Policy
from actorllm.actors.kernel import ChildSpec, Node, Supervisor
from actorllm.actors.library.catalog import BUILTIN_ROOT, Catalog
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import CONFIG, MANIFEST, MODEL
from actorllm.protocol.messages.transfers import Pull
from actorllm.protocol.names import DEFAULT_HOST, digest_of
from tests.registry.proxy import proxy_to
from tests.registry.server import real_registry
from tests.registry.stub import stub_registry

QUICK = Policy(tries=4, first=0.01, cap=0.05, stall=0.5)
SEEDLING = BUILTIN_ROOT / "manifests" / DEFAULT_HOST / "library" / "seedling" / "latest"


@attrs.frozen
class Big:
    data: bytes
    digest: str


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
    async with node.ref("/downloader").stream(Pull(model, insecure=True, **fields)) as items:
        return [item async for item in items]


def words(steps):
    """What the steps say, without repetitions."""
    return list(dict.fromkeys(step.status for step in steps))


@pytest.fixture
def stub():
    """A registry that does as it is told."""
    with stub_registry() as server:
        yield server


@pytest.fixture
def other():
    """A second one: storage, or a stranger."""
    with stub_registry() as server:
        yield server


@pytest.fixture(scope="session")
def big(registry):
    """A blob of several parts, in the registry's model `library/big`: its bytes and digest."""
    data = random.Random(1).randbytes(20 * 1024 * 1024)
    digest = digest_of(data)
    layer = {"mediaType": MODEL, "digest": digest, "size": len(data)}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST}
    config = b"{}"
    manifest["config"] = {"mediaType": CONFIG, "digest": digest_of(config), "size": len(config)}
    manifest["layers"] = [layer]
    blobs = {digest: data, digest_of(config): config}
    registry.put("library/big", blobs, json.dumps(manifest).encode())
    return Big(data, digest)


def partials(catalog):
    """Names of the unfinished files."""
    folder = catalog.blobs.folder / ".partial"
    return sorted(path.name for path in folder.glob("*"))


async def refusal(node, model, **fields):
    """Pull what cannot be pulled; returns the problem."""
    with pytest.raises(Refused) as caught:
        await pull(node, model, **fields)
    return caught.value.problem
