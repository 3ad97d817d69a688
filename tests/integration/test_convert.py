"""Checkpoints and files of weights, from the command line to an answer."""

import json
import subprocess
import sys

import numpy as np
import pytest

from actorllm.actors.library.catalog import BUILTIN_ROOT
from actorllm.protocol.names import digest_of
from tests.builder.convert.making import safetensors, seedling_folder
from tests.integration.daemon import TIMEOUT, Daemon

WEIGHTS = max((BUILTIN_ROOT / "blobs").iterdir(), key=lambda path: path.stat().st_size)
QUESTION = "What is the capital of France?"
ADAPTED = "base_model.model.model.layers.0.self_attn.q_proj"


@pytest.fixture
def checkpoint(tmp_path):
    return seedling_folder(tmp_path / "hf")


@pytest.fixture
def create(daemon: Daemon, tmp_path):
    """Runs `actorllm create` on a Modelfile; returns what it says."""
    made = []

    def run(name, modelfile, *options):
        path = tmp_path / f"{name}.Modelfile"
        path.write_text(modelfile)
        made.append(name)
        done = subprocess.run(
            [sys.executable, "-m", "actorllm.cli.main", "create", name, "-f", str(path), *options],
            env=daemon.environ | {"ACTORLLM_HOST": daemon.url},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    yield run
    for name in made:
        daemon.client.request("DELETE", "/api/delete", json={"model": name})


def answer(daemon: Daemon, model: str) -> str:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": QUESTION}],
        "options": {"temperature": 0, "seed": 1, "num_predict": 30},
        "stream": False,
    }
    return daemon.client.post("/api/chat", json=body).json()["message"]["content"]


def test_a_folder_becomes_a_model_that_answers(daemon: Daemon, create, checkpoint):
    said = create("from-hf", f"FROM {checkpoint}\n")
    assert "converting model" in said
    assert "notice: text is not normalized to NFC" in said
    shown = daemon.client.post("/api/show", json={"model": "from-hf"}).json()
    assert shown["details"]["quantization_level"] == "F16"
    assert answer(daemon, "from-hf") == answer(daemon, "seedling")


def test_an_adapter_changes_what_a_model_says(daemon: Daemon, create, tmp_path):
    folder = tmp_path / "lora"
    folder.mkdir()
    rng = np.random.default_rng(0)
    halves = {
        f"{ADAPTED}.lora_A.weight": rng.normal(size=(4, 256)).astype(np.float32),
        f"{ADAPTED}.lora_B.weight": rng.normal(size=(256, 4)).astype(np.float32),
    }
    safetensors(folder / "adapter_model.safetensors", halves)
    config = {"peft_type": "LORA", "lora_alpha": 32}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    assert "converting adapter" in create("adapted", f"FROM seedling\nADAPTER {folder}\n")
    assert answer(daemon, "adapted") != answer(daemon, "seedling")


def test_a_file_is_taken_in_place_unless_a_copy_is_wanted(daemon: Daemon, create, tmp_path):
    weights = tmp_path / "weights.gguf"
    weights.write_bytes(WEIGHTS.read_bytes() + b"in place")
    blob = daemon.models / "blobs" / digest_of(weights.read_bytes()).replace(":", "-")
    assert "sharing file" in create("in-place", f"FROM {weights}\n")
    assert blob.read_bytes() == weights.read_bytes()
    assert answer(daemon, "in-place") == answer(daemon, "seedling")
    daemon.client.request("DELETE", "/api/delete", json={"model": "in-place"}).raise_for_status()
    assert not blob.exists()
    assert "copying file" in create("copied", f"FROM {weights}\n", "--copy")
    assert not blob.samefile(weights)


def test_a_model_whose_linked_file_was_written_to_is_said_to_be_damaged(
    daemon: Daemon, create, tmp_path
):
    weights = tmp_path / "weights.gguf"
    weights.write_bytes(WEIGHTS.read_bytes() + b"linked")
    create("linked", f"FROM {weights}\n")
    blob = daemon.models / "blobs" / digest_of(weights.read_bytes()).replace(":", "-")
    if not blob.samefile(weights):
        pytest.skip("this file system shares blocks, so nothing is linked")
    with weights.open("r+b") as file:
        file.truncate(1000)
    refused = daemon.post("/api/chat", model="linked")
    assert refused.status_code == 500
    assert "its model is missing" in refused.json()["error"]
