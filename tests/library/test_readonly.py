"""A second folder of models that is read and never written."""

import pytest

from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.library.catalog import Catalog
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import LICENSE
from actorllm.protocol.names import parse_name

from .conftest import add_model, layer

SHARED, OWN = parse_name("shared"), parse_name("own")


@pytest.fixture
def folder(tmp_path):
    """A read-only folder with a model, and what is in it."""
    root = tmp_path / "shared"
    below = Catalog(BlobStore(root), None)
    add_model(below, "shared", layer(below.blobs, LICENSE, "for all"))
    return root


@pytest.fixture
def over(store, folder):
    return Catalog(store, None, shared=folder)


def content(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def names(catalog):
    return sorted(model.name.short() for model in catalog.models()[0])


def test_its_models_are_listed_and_found(over, folder):
    add_model(over, "own", layer(over.blobs, LICENSE, "mine"))
    assert names(over) == ["own:latest", "shared:latest"]
    assert over.find(SHARED).root == folder


def test_nothing_in_it_is_removed_and_the_answer_says_so(over, folder):
    before = content(folder)
    with pytest.raises(Refused, match="read-only folder of ACTORLLM_MODELS_READONLY") as refused:
        over.delete(SHARED)
    assert refused.value.problem.status == 403
    over.collect_garbage(older_than=0)
    over.sweep([layer.digest for layer in over.find(SHARED).manifest.blobs()])
    assert content(folder) == before


def test_a_copy_refers_to_its_blobs_without_another_copy_of_them(over, folder):
    before = content(folder)
    assert over.copy(SHARED, OWN) == OWN
    [licence] = over.find(OWN).manifest.layers
    assert over.blob(licence.digest).parent.parent == folder
    assert not over.blobs.has(licence.digest)
    assert over.delete(OWN) == 0
    assert content(folder) == before


def test_a_model_of_the_same_name_hides_it_until_it_is_deleted(over, folder):
    add_model(over, "shared", layer(over.blobs, LICENSE, "mine"))
    assert names(over) == ["shared:latest"]
    assert over.find(SHARED).root == over.blobs.root
    assert over.delete(SHARED) == len("mine")
    assert over.find(SHARED).root == folder


def test_a_missing_folder_is_an_empty_one(store, tmp_path):
    catalog = Catalog(store, None, shared=tmp_path / "none")
    assert names(catalog) == []
    assert catalog.find(SHARED) is None
    assert not (tmp_path / "none").exists()
