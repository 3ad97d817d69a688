"""A store with two models that share a blob, and an empty one."""

import pytest

from actorllm.actors.archives.exporting import Exporting
from actorllm.actors.archives.importing import Importing
from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.library.catalog import Catalog
from actorllm.protocol.manifest import LICENSE, SYSTEM
from tests.library.conftest import add_model, layer


@pytest.fixture
def full(tmp_path):
    catalog = Catalog(BlobStore(tmp_path / "full"), None)
    shared = layer(catalog.blobs, LICENSE, "shared " * 1000)
    add_model(catalog, "one", shared, layer(catalog.blobs, SYSTEM, "one"))
    add_model(catalog, "example.org/team/two:q4", shared, layer(catalog.blobs, SYSTEM, "two"))
    return catalog


@pytest.fixture
def empty(tmp_path):
    return Catalog(BlobStore(tmp_path / "empty"), None)


def export(catalog, *names):
    """The bytes of an archive."""
    with catalog.blobs.lock.pin() as pin:
        exporting = Exporting(catalog, names, pin)
        data = b"".join(exporting.pieces())
    assert len(data) == exporting.total
    return data


def import_(catalog, data, *, step=65_536, max_blob=1 << 30, rename=""):
    """Import an archive; returns what it says."""
    importing = Importing(catalog, max_blob, rename)
    try:
        for at in range(0, len(data), step):
            importing.feed(data[at : at + step])
        return importing.finish()
    finally:
        importing.close()
