"""Creations from safetensors, each with the real process that converts."""

import json
import os
import tempfile
from pathlib import Path

import numpy as np
import psutil
import pytest

from actorllm.actors.builder import child
from actorllm.actors.builder.carry_out import Creation
from actorllm.actors.builder.templates import template_problem
from actorllm.actors.library.content import read_config
from actorllm.actors.library.gguf import read_gguf
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import ADAPTER, MODEL
from actorllm.protocol.messages.building import Create
from tests.builder.convert.making import safetensors, seedling_folder

ADAPTED = "base_model.model.model.layers.0.self_attn.q_proj"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return seedling_folder(tmp_path_factory.mktemp("hf") / "seedling")


@pytest.fixture
def uploaded(store, checkpoint):
    """The checkpoint's files, as a client uploads them."""
    return {path.name: store.import_file(path).digest for path in sorted(checkpoint.iterdir())}


@pytest.fixture
def steps(catalog):
    return lambda create: Creation(catalog, template_problem, create).steps()


@pytest.fixture
def weights(catalog, model):
    """Reads the header of a model's weights."""

    def read(name, kind=MODEL):
        (layer,) = model(name).manifest.of(kind)
        return read_gguf(catalog.blob(layer.digest))

    return read


def layouts():
    """Folders that a conversion laid out and did not remove."""
    return set(Path(tempfile.gettempdir()).glob("actorllm-*"))


def test_a_folder_of_safetensors_becomes_a_model(
    steps, uploaded, weights, model, catalog, leftovers
):
    before = layouts()
    said = list(steps(Create("x", files=uploaded)))
    words = list(dict.fromkeys(step.status for step in said))
    (layer,) = model("x").manifest.of(MODEL)
    assert words == [
        "converting model",
        "notice: text is not normalized to NFC before it is tokenized",
        "verifying conversion",
        f"creating new layer {layer.digest}",
        "writing manifest",
        "success",
    ]
    progress = [step for step in said if step.status == "converting model"]
    assert progress[-1].completed == progress[-1].total > 2_000_000
    assert read_config(catalog, model("x")).file_type == "F16"
    assert weights("x").text("tokenizer.chat_template")
    assert leftovers(*uploaded.values()) == []
    assert layouts() == before


def test_a_type_without_blocks_is_written_at_once(steps, uploaded, weights, leftovers):
    words = [step.status for step in steps(Create("x", files=uploaded, quantize="bf16"))]
    assert not [word for word in words if word.startswith("quantizing")]
    assert weights("x").file_type == 32
    assert leftovers(*uploaded.values()) == []


def test_other_types_are_quantized_after_and_only_the_last_file_stays(
    steps, uploaded, weights, leftovers
):
    words = [step.status for step in steps(Create("x", files=uploaded, quantize="q8_0"))]
    assert "quantizing F16 model to Q8_0" in words
    assert weights("x").file_type == 7
    assert leftovers(*uploaded.values()) == []


@pytest.fixture
def adapter(store, tmp_path):
    halves = {
        f"{ADAPTED}.lora_A.weight": np.ones((4, 256), np.float32),
        f"{ADAPTED}.lora_B.weight": np.ones((256, 4), np.float32),
    }
    file = safetensors(tmp_path / "adapter_model.safetensors", halves)
    config = tmp_path / "adapter_config.json"
    config.write_text(json.dumps({"peft_type": "LORA", "lora_alpha": 8}))
    return {path.name: store.import_file(path).digest for path in (file, config)}


def test_an_adapter_is_converted_for_its_base(steps, adapter, weights, leftovers):
    words = {step.status for step in steps(Create("x", source="seedling", adapters=adapter))}
    assert "converting adapter" in words
    names = {tensor.name for tensor in weights("x", ADAPTER).tensors}
    assert names == {"blk.0.attn_q.weight.lora_a", "blk.0.attn_q.weight.lora_b"}
    assert leftovers(*adapter.values()) == []


def test_an_adapter_may_come_with_the_checkpoint_of_its_base(steps, uploaded, adapter, weights):
    list(steps(Create("x", files=uploaded, adapters=adapter)))
    assert weights("x", ADAPTER).architecture == weights("x").architecture == "llama"


def refused(steps, files):
    with pytest.raises(Refused) as info:
        list(steps(Create("x", files=files)))
    problem = info.value.problem
    assert tempfile.gettempdir() not in problem.text
    return problem.status, problem.text


def test_what_cannot_be_converted_is_said_and_nothing_stays(
    steps, store, uploaded, model, leftovers
):
    rubbish = store.put(b"no safetensors at all").digest
    keys = [name for name in uploaded if name.endswith(".safetensors")]
    for files, said in (
        (uploaded | {keys[0]: rubbish}, f"{keys[0]} is no safetensors file, or it is cut off"),
        ({name: uploaded[name] for name in keys}, "config.json is needed"),
        (uploaded | {"x" * 300: rubbish}, "no file can be called"),
        (uploaded | {"config.json\0": rubbish}, "no file can be called"),
        (uploaded | {"config.json/a": rubbish}, "no file can be called"),
    ):
        status, text = refused(steps, files)
        assert (status, said in text) == (400, True), text
    assert model("x") is None
    assert leftovers(*uploaded.values(), rubbish) == []


def test_a_conversion_that_is_left_ends_at_once_and_nothing_stays(
    steps, uploaded, model, leftovers, monkeypatch
):
    # The first look comes while the interpreter still starts, however fast the machine is.
    monkeypatch.setattr(child, "_STEP", 0.001)
    before, running = layouts(), steps(Create("x", files=uploaded))
    assert next(running).status == "converting model"
    next(running)
    assert [p for p in psutil.Process(os.getpid()).children() if "convert" in str(p.cmdline())]
    running.close()
    children = psutil.Process(os.getpid()).children()
    assert not [p for p in children if "builder.convert" in str(p.cmdline())]
    assert model("x") is None
    assert leftovers(*uploaded.values()) == []
    assert layouts() == before
