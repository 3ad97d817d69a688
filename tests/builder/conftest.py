"""A real store over the one that comes with the package."""

from pathlib import Path

import llama_cpp
import pytest

from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.builder.carry_out import Creation
from actorllm.actors.builder.templates import template_problem
from actorllm.actors.library.catalog import BUILTIN_ROOT, Catalog
from actorllm.protocol.errors import Refused
from actorllm.protocol.names import parse_name

SEEDLING = max((BUILTIN_ROOT / "blobs").iterdir(), key=lambda path: path.stat().st_size)


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path / "models")


@pytest.fixture
def catalog(store):
    return Catalog(store)


@pytest.fixture
def seedling(store):
    """Digest of the uploaded weights of the seedling, Q8_0."""
    return store.import_file(SEEDLING).digest


@pytest.fixture(scope="session")
def f16_file(tmp_path_factory):
    """The seedling in F16."""
    target: Path = tmp_path_factory.mktemp("weights") / "f16.gguf"
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.nthread, params.allow_requantize = 1, 1, True
    assert llama_cpp.llama_model_quantize(bytes(SEEDLING), bytes(target), params) == 0
    return target


@pytest.fixture
def f16(store, f16_file):
    """Digest of the uploaded weights of the seedling, F16."""
    return store.import_file(f16_file).digest


@pytest.fixture
def leftovers(catalog):
    """Tells the files in the store that no model and no upload of the test accounts for."""

    def find(*uploaded):
        used = set(uploaded)
        for model in catalog.models()[0]:
            used |= {layer.digest for layer in model.manifest.blobs()}
        own = catalog.blobs.own_folder / "pins"
        stray = [entry for entry in catalog.blobs.entries() if entry.digest not in used]
        return [entry.path.name for entry in stray] + [path.name for path in own.iterdir()]

    return find


@pytest.fixture
def model(catalog):
    """Finds a model by its name."""
    return lambda name: catalog.find(parse_name(name))


@pytest.fixture
def creation(catalog):
    return lambda create: Creation(catalog, template_problem, create)


@pytest.fixture
def said(creation):
    """What a creation reports, and how it was refused."""

    def run(create):
        words = []
        try:
            words.extend(step.status for step in creation(create).steps())
        except Refused as e:
            return words, e.problem
        return words, None

    return run
