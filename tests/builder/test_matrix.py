"""Types that llama.cpp makes with an importance matrix only."""

import numpy as np
import pytest
from gguf import GGUFReader, GGUFWriter

from actorllm.actors.builder.quantizations import QUANTIZATIONS
from actorllm.actors.library.content import read_config
from actorllm.protocol.manifest import MODEL
from actorllm.protocol.messages.building import Create
from tests.library.conftest import BERT


def write_matrix(target, weights, kind="imatrix"):
    """Write a matrix as llama.cpp's program does; the second column of each tensor matters most."""
    writer = GGUFWriter(target, "")
    writer.add_type(kind)
    for tensor in GGUFReader(weights).tensors:
        if len(tensor.shape) == 2:
            sums = np.ones((1, int(tensor.shape[0])), np.float32)
            sums[0, 1] = 1000
            writer.add_tensor(f"{tensor.name}.in_sum2", sums)
            writer.add_tensor(f"{tensor.name}.counts", np.full((1, 1), 4, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(scope="session")
def matrix_file(f16_file, tmp_path_factory):
    target = tmp_path_factory.mktemp("matrix") / "imatrix.gguf"
    write_matrix(target, f16_file)
    return target


@pytest.fixture
def matrix(store, matrix_file):
    """Digest of the uploaded matrix of the seedling."""
    return store.import_file(matrix_file).digest


def test_with_a_matrix_the_smallest_types_are_made(said, f16, matrix, model, catalog, leftovers):
    files = {"weights.gguf": f16, "imatrix.gguf": matrix}
    words, problem = said(Create("x", files=files, quantize="q2_k_s"))
    assert problem is None
    assert "quantizing F16 model to Q2_K_S" in words
    [weights] = model("x").manifest.layers
    assert weights.media_type == MODEL
    assert weights.size < catalog.size(f16) / 3
    assert read_config(catalog, model("x")).file_type == "Q2_K_S"
    assert leftovers(f16, matrix) == []


def test_the_matrix_is_heeded(said, f16, matrix, model):
    said(Create("plain", files={"w.gguf": f16}, quantize="Q4_0"))
    said(Create("weighed", files={"w.gguf": f16, "m.gguf": matrix}, quantize="Q4_0"))
    [plain], [weighed] = (model(name).manifest.layers for name in ("plain", "weighed"))
    assert plain.digest != weighed.digest


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("", "an importance matrix is for quantizing; give a type with -q"),
        (
            "IQ2_XXS",
            "IQ2_XXS needs an importance matrix: give its file (imatrix.gguf) as one more FROM",
        ),
    ],
)
def test_matrix_and_type_belong_together(said, f16, matrix, kind, reason):
    files = {"w.gguf": f16} if kind else {"w.gguf": f16, "m.gguf": matrix}
    _, problem = said(Create("x", files=files, quantize=kind))
    assert problem.status == 400
    assert reason in problem.text


def test_one_matrix_is_enough(said, f16, matrix, matrix_file, store):
    other = store.put(matrix_file.read_bytes() + b"0").digest
    files = {"w.gguf": f16, "m.gguf": matrix, "n.gguf": other}
    _, problem = said(Create("x", files=files, quantize="Q4_0"))
    assert problem.text == "only one importance matrix can be used"


def test_a_matrix_that_makes_no_sense_is_refused(said, f16, store, matrix_file):
    data = matrix_file.read_bytes().replace(b"attn_q.weight.counts", b"attn_q.weight.cuonts")
    files = {"w.gguf": f16, "m.gguf": store.put(data).digest}
    _, problem = said(Create("x", files=files, quantize="Q2_K_S"))
    assert problem.status == 400
    assert problem.text == "quantizing failed: the importance matrix cannot be read"


def test_a_matrix_of_another_model_is_refused(said, f16, tmp_path, store):
    target = tmp_path / "other.gguf"
    write_matrix(target, BERT)
    files = {"w.gguf": f16, "m.gguf": store.import_file(target).digest}
    _, problem = said(Create("x", files=files, quantize="Q2_K_S"))
    assert problem.status == 400
    assert problem.text.startswith("quantizing failed: ")


def test_no_type_of_llama_cpp_is_left_out():
    assert sum(kind.needs_matrix for kind in QUANTIZATIONS.values()) == 9
