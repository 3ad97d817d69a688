"""Deterministic loads of all types of weights: what is promised, and that it is kept."""

import json
import platform
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from actorllm.actors.library.gguf import Tensor
from actorllm.actors.runner.engine.kernels import Weights, weights_of
from actorllm.actors.runner.engine.types import Sampling, Work
from tests.engine.conftest import Host
from tests.engine.weights import make_model

TILED = ("Q4_K_M", "Q5_K_M+q8_0")
OTHERS = ("Q4_0", "F16", "Q8_0+q4_0")
"""Types of weights, some with the type of the KV cache. A process takes tiles or it does not. The
campaign of determinism has more."""

pytestmark = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="measured on x86-64 only"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


def run_matrix(folder, *kinds):
    command = [sys.executable, "-m", "tests.engine.matrix", str(folder), *kinds]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("MATRIX ")]
    return {row.pop("kind"): row for row in map(json.loads, (x[7:] for x in lines))}


@pytest.mark.parametrize("kinds", [TILED, OTHERS])
def test_all_types_say_the_same_in_every_situation_once_loaded_for_it(folder, kinds):
    rows = run_matrix(folder, *kinds)
    assert set(rows) == set(kinds)
    assert {kind: [k for k, v in row.items() if not v] for kind, row in rows.items()} == {
        kind: [] for kind in kinds
    }


def promises(path):
    """Whether an ordinary load, and then one of its answers, say that they are deterministic."""
    host = Host(path, slots=2, threads=1, num_ctx=256)
    work = Work(
        id=1, prompt=(300, 301), sampling=Sampling(seed=1), max_tokens=2, deterministic=True
    )
    answer = host.run(work)[1][2].deterministic
    host.engine.close()
    return host.loaded.deterministic, answer


def test_what_an_ordinary_load_cannot_keep_it_does_not_promise(folder):
    # In a process of its own: where AMX was in use before, weights are not repacked any more.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        path = make_model(folder / "Q4_K_M.gguf", "Q4_K_M")
        assert pool.submit(promises, path).result() == (False, False)


def tensors(**types):
    return [
        Tensor(name.replace("_", ".") + ".weight", kind, (256, 256), 0, 1)
        for name, kind in types.items()
    ]


@pytest.mark.parametrize(
    ("types", "repacked", "tiles", "slots", "steady"),
    [
        ({"q": "F16", "output": "F16"}, True, True, 63, True),
        ({"q": "Q4_0", "output": "Q8_0"}, True, True, 63, True),
        ({"q": "Q4_0", "output": "Q6_K"}, True, True, 7, True),
        ({"q": "Q4_0", "output": "Q6_K"}, True, True, 8, False),
        ({"q": "Q4_0", "output": "Q6_K"}, True, False, 63, True),
        ({"q": "Q6_K", "output": "Q6_K"}, True, True, 16, True),
        ({"q": "Q6_K", "output": "Q6_K"}, True, False, 63, True),
        ({"q": "Q4_K", "output": "Q6_K"}, True, False, 4, False),
        ({"q": "Q4_K", "output": "Q6_K"}, False, True, 16, True),
        ({"q": "Q4_K", "output": "Q6_K"}, False, False, 63, True),
        ({"q": "Q8_0", "output": "Q4_K"}, True, True, 4, False),
    ],
)
def test_what_is_steady_follows_from_the_types(types, repacked, tiles, slots, steady):
    weights = Weights(tensors(**types))
    assert weights.steady(repacked=repacked, tiles=tiles, slots=slots) is steady


@pytest.mark.parametrize(
    ("types", "rows", "in_part"),
    [
        ({"q": "Q4_0", "output": "Q8_0"}, 0, False),
        ({"q": "Q4_0", "output": "Q6_K"}, 0, True),
        ({"q": "Q4_0", "k": "Q5_K", "output": "Q6_K"}, 8, False),
    ],
)
def test_tiles_are_refused_where_only_some_rows_of_a_pass_would_be_in_them(types, rows, in_part):
    weights = Weights(tensors(**types))
    assert (weights.tiled_rows, weights.tiled_in_part) == (rows, in_part)


def test_unknown_weights_are_steady_without_repacking_and_tiles_only():
    weights = weights_of(("/nowhere",))
    assert weights.tiled_in_part
    assert not weights.tiled_rows
    assert weights.repacks_unsteadily
    assert weights.steady(repacked=False, tiles=False, slots=63)
    assert not weights.steady(repacked=False, tiles=True, slots=1)
    assert not weights.steady(repacked=True, tiles=False, slots=1)


def test_other_kinds_of_machines_promise_nothing(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert not Weights(tensors(q="F16")).steady(repacked=False, tiles=False, slots=1)
