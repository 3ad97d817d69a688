import json
import math

import numpy as np
import pytest

from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.lora import BaseModel, plan_adapter
from actorllm.actors.builder.convert.stored import write
from actorllm.actors.library.gguf import read_gguf
from tests.builder.convert.making import safetensors

BASE = BaseModel("llama", 2, 4, 2)
CONFIG = {"peft_type": "LORA", "lora_alpha": 16, "r": 4, "bias": "none"}
QUERY = "base_model.model.model.layers.1.self_attn.q_proj"
DOWN = "base_model.model.model.layers.0.mlp.down_proj"


def halves(module, rows=8, columns=6, rank=4):
    rng = np.random.default_rng(1)
    return {
        f"{module}.lora_A.weight": rng.normal(size=(rank, columns)).astype(np.float32),
        f"{module}.lora_B.weight": rng.normal(size=(rows, rank)).astype(np.float32),
    }


@pytest.fixture
def adapter(tmp_path):
    """Writes an adapter and converts it."""

    def make(tensors=None, base=BASE, **config):
        tensors = halves(QUERY) | halves(DOWN) if tensors is None else tensors
        safetensors(tmp_path / "adapter_model.safetensors", tensors)
        (tmp_path / "adapter_config.json").write_text(json.dumps(CONFIG | config))
        plan = plan_adapter(tmp_path, base)
        write(plan.gguf, str(tmp_path / "out.gguf"))
        return read_gguf(tmp_path / "out.gguf")

    return make


def test_an_adapter_has_two_halves_for_each_module(adapter):
    gguf = adapter()
    assert gguf.text("general.type") == "adapter"
    assert gguf.architecture == "llama"
    assert gguf.metadata["adapter.lora.alpha"] == 16.0
    assert {t.name: t.shape for t in gguf.tensors} == {
        "blk.0.ffn_down.weight.lora_a": (6, 4),
        "blk.0.ffn_down.weight.lora_b": (4, 8),
        "blk.1.attn_q.weight.lora_a": (6, 4),
        "blk.1.attn_q.weight.lora_b": (4, 8),
    }


def test_the_second_half_is_ordered_as_the_weights_are(adapter):
    gguf = adapter()
    tensor = next(t for t in gguf.tensors if t.name == "blk.1.attn_q.weight.lora_b")
    data = gguf.path.read_bytes()[tensor.offset : tensor.offset + tensor.size]
    source = halves(QUERY)[f"{QUERY}.lora_B.weight"]
    paired = source.reshape(4, 2, 1, 4).swapaxes(1, 2).reshape(8, 4)
    assert np.array_equal(np.frombuffer(data, np.float32).reshape(8, 4), paired)


def test_the_strength_of_rank_stabilized_adapters_is_kept(adapter):
    assert adapter(use_rslora=True).metadata["adapter.lora.alpha"] == 16 * math.sqrt(4)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"peft_type": "IA3"}, "only LoRA"),
        ({"use_dora": True}, "use_dora is not supported"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save is not supported"),
        ({"bias": "all"}, "bias must be none"),
        ({"lora_alpha": None}, "does not say lora_alpha"),
        ({"tensors": {}}, "has no tensors"),
        ({"tensors": {f"{QUERY}.lora_A.weight": np.ones((4, 6), np.float32)}}, "only one half"),
        ({"tensors": {f"{QUERY}.weight": np.ones((4, 6), np.float32)}}, "no half of a LoRA pair"),
        ({"tensors": halves("base_model.model.model.x")}, "model.x is unknown in llama"),
        ({"tensors": halves(QUERY.replace("1", "7"))}, "is unknown in llama"),
        ({"tensors": halves(QUERY, rows=6)}, "6 rows, which are not 4 heads"),
        ({"base": BaseModel("mamba", 2, 4, 2)}, "'mamba' models are not converted"),
        ({"base": BaseModel("bert", 2, 4, 2)}, "'bert' models are not converted"),
    ],
)
def test_what_llama_cpp_would_leave_out_is_refused(adapter, changes, said):
    with pytest.raises(ConvertError, match=said):
        adapter(**changes)


def test_halves_that_do_not_fit_together_are_refused(adapter):
    tensors = halves(QUERY) | {f"{QUERY}.lora_B.weight": np.ones((8, 3), np.float32)}
    with pytest.raises(ConvertError, match="do not fit together"):
        adapter(tensors)
