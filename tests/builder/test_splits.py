"""Weights in several files, from the upload to the runner."""

import shutil

import llama_cpp
import pytest

from actorllm.actors.library.library import Library
from actorllm.actors.runner.analysis import ANALYSIS
from actorllm.actors.runner.engine.model import load_model
from actorllm.actors.runner.engine.types import EngineSettings
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import CONFIG, MODEL, Layer, Manifest, dump_manifest
from actorllm.protocol.messages.building import Create
from actorllm.protocol.messages.models import ResolveModel, ShowModel
from actorllm.protocol.names import parse_name
from tests.builder.conftest import SEEDLING
from tests.library.splits import split


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    return split(SEEDLING, tmp_path_factory.mktemp("splits"), 3)


@pytest.fixture
def uploaded(files, store):
    """Digests by name, in the wrong order."""
    return {path.name: store.import_file(path).digest for path in reversed(files)}


@pytest.fixture
def library(catalog):
    return Library(catalog, ANALYSIS)


def parameters(*paths):
    """Load weights from these files; how many there are."""
    settings = EngineSettings(model_path=str(paths[0]), splits=tuple(map(str, paths[1:])))
    model = load_model(settings)
    try:
        return llama_cpp.llama_model_n_params(model.handle)
    finally:
        model.free()


def test_split_weights_become_one_model_whose_files_are_in_order(said, uploaded, model, library):
    words, problem = said(Create("x", files=uploaded))
    assert (problem, words[-1]) == (None, "success")
    wanted = [uploaded[name] for name in sorted(uploaded)]
    assert [layer.digest for layer in model("x").manifest.of(MODEL)] == wanted
    found = library.resolve(ResolveModel("x", "chat"))
    assert [found.weights.digest, *(blob.digest for blob in found.splits)] == wanted
    whole = library.resolve(ResolveModel("seedling", "chat"))
    assert found.parameter_count == whole.parameter_count
    assert found.memory.weights == pytest.approx(whole.memory.weights, rel=0.01)
    assert found.capabilities == whole.capabilities


def test_the_list_and_show_tell_of_the_whole(said, uploaded, library):
    said(Create("x", files=uploaded))
    listed = {row.name: row.details for row in library.models().models}
    assert listed["x:latest"].parameter_size == listed["seedling:latest"].parameter_size
    ours, whole = (library.show(ShowModel(name)) for name in ("x", "seedling"))
    assert {tensor.name for tensor in ours.tensors} == {tensor.name for tensor in whole.tensors}
    count = "general.parameter_count"
    assert ours.model_info[count] == whole.model_info[count]


def test_llama_cpp_loads_all_files(files, tmp_path):
    # Blobs have names of their own.
    blobs = [shutil.copy(path, tmp_path / f"blob-{9 - i}") for i, path in enumerate(files)]
    assert parameters(*blobs) == parameters(SEEDLING)


def test_a_missing_file_is_named(said, uploaded):
    del uploaded["weights-00002-of-00003.gguf"]
    _, problem = said(Create("x", files=uploaded))
    assert problem.status == 400
    assert problem.text == (
        "the weights are split into 3 files; give all of them: 00002 is missing"
    )


def test_another_model_among_the_files_is_refused(said, uploaded, seedling):
    _, problem = said(Create("x", files=uploaded | {"other.gguf": seedling}))
    assert problem.text == "more than one of the files holds the weights of a model"


def test_split_weights_are_quantized_to_one_file(said, f16_file, store, tmp_path, model, library):
    parts = {p.name: store.import_file(p).digest for p in split(f16_file, tmp_path, 2)}
    words, problem = said(Create("x", files=parts, quantize="q8_0"))
    assert (problem, words[-1]) == (None, "success")
    [layer] = model("x").manifest.of(MODEL)
    assert layer.size == pytest.approx(SEEDLING.stat().st_size, rel=0.01)
    assert library.resolve(ResolveModel("x", "chat")).splits == ()
    said(Create("y", files=parts))
    words, problem = said(Create("z", source="y", quantize="q8_0"))
    assert (problem, words[-1]) == (None, "success")
    assert [x.digest for x in model("z").manifest.of(MODEL)] == [layer.digest]


def test_a_model_that_lacks_a_file_of_its_weights_says_so(catalog, files, library):
    layers = [catalog.blobs.import_file(path) for path in files[:2]]
    config = catalog.blobs.put(b"{}")
    for name, some in {"one": layers[:1], "two": layers}.items():
        manifest = Manifest(
            tuple(Layer(MODEL, s.digest, s.size) for s in some),
            Layer(CONFIG, config.digest, config.size),
        )
        catalog.write(parse_name(name), dump_manifest(manifest))
        with pytest.raises(Refused, match="of the 3 files of its weights"):
            library.resolve(ResolveModel(name, "chat"))
