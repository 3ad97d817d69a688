"""Folders of small random checkpoints, and what becomes of them."""

import ctypes
import json

import llama_cpp
import numpy as np
import pytest

from actorllm.actors.builder.convert.assemble import open_source, plan_model
from actorllm.actors.builder.convert.stored import write
from actorllm.actors.library.gguf import read_gguf
from tests.builder.convert.making import bf16, safetensors
from tests.builder.convert.shapes import FAMILIES, ROWS

# llama.cpp keeps the pointer for the rest of the process.
SILENT = llama_cpp.llama_log_callback(lambda _level, _text, _data: None)

GPT2 = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = [*SPECIAL, *(f"w{i}" for i in range(ROWS - len(SPECIAL)))]
VOCAB = {word: i for i, word in enumerate(WORDS)}
BYTE_LEVEL = {"model": {"type": "BPE", "vocab": VOCAB, "merges": ["w 1"]}, "pre_tokenizer": GPT2}
WORDPIECE = {"model": {"type": "WordPiece", "vocab": VOCAB}}


@pytest.fixture
def folder(tmp_path):
    """Writes a checkpoint of an architecture."""

    def make(architecture, *, bits=32, drop=(), more=None, shape=None, **config):
        facts, tensors = FAMILIES[architecture]
        rng = np.random.default_rng(3)
        made = tmp_path / "checkpoint"
        made.mkdir(exist_ok=True)
        shapes = {n: s for n, s in tensors.items() if n not in drop} | (more or {})
        arrays = {
            name: rng.normal(0, 0.1, (shape or {}).get(name, size)).astype(np.float32)
            for name, size in shapes.items()
        }
        if bits == 16:
            arrays = {name: bf16(array) for name, array in arrays.items()}
        safetensors(made / "model.safetensors", arrays)
        whole = {"architectures": [architecture], **facts, **config}
        (made / "config.json").write_text(json.dumps(whole))
        words = BYTE_LEVEL if "CausalLM" in architecture else WORDPIECE
        (made / "tokenizer.json").write_text(json.dumps(words))
        return made

    return make


@pytest.fixture
def converted(tmp_path):
    """Converts a folder and reads the header of what comes out."""

    def run(made, kind=""):
        plan = plan_model(open_source(made), kind)
        target = tmp_path / "out.gguf"
        write(plan.gguf, str(target))
        return read_gguf(target), plan.notices

    return run


@pytest.fixture
def loads():
    """Tells whether llama.cpp loads a file: it checks each tensor's name and shape."""

    def load(path):
        llama_cpp.llama_log_set(SILENT, ctypes.c_void_p(0))
        params = llama_cpp.llama_model_default_params()
        params.use_extra_bufts = False
        model = llama_cpp.llama_model_load_from_file(bytes(path), params)
        if model:
            llama_cpp.llama_model_free(model)
        return bool(model)

    return load
