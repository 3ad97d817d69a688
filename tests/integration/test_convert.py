"""A checkpoint in safetensors, from the command line to an answer."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.builder.convert.making import safetensors, seedling_folder
from tests.integration.daemon import TIMEOUT, Daemon

QUESTION = "What is the capital of France?"
ADAPTED = "base_model.model.model.layers.0.self_attn.q_proj"


@pytest.fixture
def checkpoint(tmp_path):
    return seedling_folder(tmp_path / "hf")


@pytest.fixture
def create(daemon: Daemon, tmp_path):
    """Runs `actorllm create` on a Modelfile; returns what it says."""
    made = []

    def run(name, modelfile):
        path = tmp_path / f"{name}.Modelfile"
        path.write_text(modelfile)
        made.append(name)
        done = subprocess.run(
            [sys.executable, "-m", "actorllm.cli.main", "create", name, "-f", str(path)],
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
