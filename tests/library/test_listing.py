"""Lists that are asked for again: right after every change, and without rows where nothing changed."""

import os

import pytest

from actorllm.protocol.manifest import SYSTEM
from actorllm.protocol.messages.models import CopyModel, DeleteModel
from actorllm.protocol.names import parse_name
from tests.library.conftest import BERT, add_model, layer


@pytest.fixture
def models(library):
    """A library with two models."""
    for name in ("one", "two"):
        add_model(library.catalog, name, weights=BERT.read_bytes())
    return library


def manifest_file(library, name):
    return library.catalog.blobs.root.joinpath("manifests", *parse_name(name).path_parts())


def names(listed):
    return sorted(row.name for row in listed.models)


def test_a_list_that_is_known_comes_without_its_rows(models):
    first = models.models()
    again = models.models(first.version)
    assert (again.models, again.version) == ((), first.version)
    assert models.models("another").models == first.models


def test_an_empty_list_has_a_version_too(library):
    first = library.models()
    assert first.models == ()
    assert library.models(first.version).version == first.version
    add_model(library.catalog, "one", weights=BERT.read_bytes())
    assert names(library.models(first.version)) == ["one:latest"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda m: m.copy(CopyModel("one", "three")), ["one", "three", "two"]),
        (lambda m: m.delete(DeleteModel("one")), ["two"]),
        (lambda m: manifest_file(m, "two").unlink(), ["one"]),
        (lambda m: manifest_file(m, "two").write_bytes(b"torn"), ["one"]),
        (
            lambda m: add_model(m.catalog, "x/y:z", weights=BERT.read_bytes()),
            ["one", "two", "x/y:z"],
        ),
    ],
)
def test_what_changes_the_models_changes_the_list(models, change, expected):
    before = models.models()
    change(models)
    after = models.models(before.version)
    assert after.version != before.version
    assert [name.removesuffix(":latest") for name in names(after)] == expected
    assert models.models(after.version).models == ()


def test_a_manifest_that_is_rewritten_in_place_at_once_is_noticed(models):
    """Another program, the same size, and a clock too coarse to tell the two writings apart."""
    path = manifest_file(models, "one")
    before = models.models()
    stamp = path.stat()
    size = str(len(BERT.read_bytes())).encode()
    changed = path.read_bytes().replace(size, size[::-1])
    path.write_bytes(changed)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert path.stat().st_size == stamp.st_size
    after = models.models(before.version)
    assert after.version != before.version
    assert {row.size for row in after.models} != {row.size for row in before.models}


def test_weights_that_change_under_the_server_are_read_again(models, store):
    before = models.models()
    [digest] = {layer.digest for layer in models.catalog.find(parse_name("one")).manifest.layers}
    store.path(digest).unlink()
    after = models.models(before.version)
    assert after.version != before.version
    assert len(after.unreadable) == 2


def test_a_change_that_no_list_shows_keeps_the_version(models, store):
    before = models.models()
    layer(store, SYSTEM, "nobody refers to this")
    assert models.models(before.version).version == before.version
