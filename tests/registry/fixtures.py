"""Fixtures for tests of pulls and pushes: import them into a conftest."""

import json
import random

import attrs
import pytest

from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.downloader.retry import Policy
from actorllm.actors.library.catalog import BUILTIN_ROOT, Catalog
from actorllm.protocol.manifest import CONFIG, MANIFEST, MODEL
from actorllm.protocol.names import DEFAULT_HOST, digest_of
from tests.registry.proxy import proxy_to
from tests.registry.server import real_registry
from tests.registry.stub import stub_registry

__all__ = ["QUICK", "SEEDLING", "big", "catalog", "other", "proxy", "registry", "stub"]

QUICK = Policy(tries=4, first=0.01, cap=0.05, stall=1.0)
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
