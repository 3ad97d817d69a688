import json

import numpy as np
import pytest

from actorllm.actors.builder.convert.assemble import open_source, plan_projector
from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.families.table import ALL
from tests.builder.convert.making import SEEDLING, safetensors, seedling_folder
from tests.builder.convert.shapes import FAMILIES, LAYERS, WIDTH

QUERY = "model.layers.1.self_attn.q_proj.weight"


def numbers(gguf, name, dtype="<f4"):
    tensor = next(t for t in gguf.tensors if t.name == name)
    data = gguf.path.read_bytes()[tensor.offset : tensor.offset + tensor.size]
    return np.frombuffer(data, dtype).reshape(tensor.shape[::-1])


@pytest.mark.parametrize("architecture", FAMILIES)
def test_llama_cpp_loads_each_architecture(folder, converted, loads, architecture):
    gguf, _ = converted(folder(architecture), "F32")
    assert loads(gguf.path)


def test_each_family_is_tried():
    tried = {family.arch for family in ALL if set(family.architectures) & set(FAMILIES)}
    assert tried == {family.arch for family in ALL}


def test_the_seedling_comes_back_as_it_was(tmp_path, converted):
    gguf, notices = converted(seedling_folder(tmp_path / "hf"), "F32")
    from actorllm.actors.library.gguf import read_gguf

    original = read_gguf(SEEDLING)
    assert {t.name: t.shape for t in gguf.tensors} == {t.name: t.shape for t in original.tensors}
    for key in (
        "context_length", "embedding_length", "feed_forward_length", "attention.head_count_kv",
        "rope.freq_base", "vocab_size",
    ):  # fmt: skip
        assert gguf.metadata[f"llama.{key}"] == original.metadata[f"llama.{key}"]
    for key in ("tokens", "token_type", "merges"):
        assert gguf.array(f"tokenizer.ggml.{key}") == original.array(f"tokenizer.ggml.{key}")
    for key in ("ggml.pre", "ggml.eos_token_id", "ggml.add_bos_token", "chat_template"):
        assert gguf.metadata[f"tokenizer.{key}"] == original.metadata[f"tokenizer.{key}"]
    assert notices == ("text is not normalized to NFC before it is tokenized",)


def test_weights_keep_their_type_and_f32_becomes_f16(folder, converted):
    types = lambda gguf: {t.name: t.type for t in gguf.tensors}  # noqa: E731
    halves, _ = converted(folder("LlamaForCausalLM", bits=16))
    assert types(halves)["blk.0.attn_q.weight"] == "BF16"
    assert types(halves)["blk.0.attn_norm.weight"] == "F32"
    assert halves.file_type == 32
    whole, _ = converted(folder("LlamaForCausalLM"))
    assert types(whole)["blk.0.attn_q.weight"] == "F16"
    assert whole.file_type == 1
    asked, _ = converted(folder("LlamaForCausalLM"), "BF16")
    assert types(asked)["blk.0.attn_q.weight"] == "BF16"


def test_experts_are_stacked_and_routers_stay_precise(folder, converted):
    gguf, _ = converted(folder("MixtralForCausalLM"))
    shapes = {t.name: (t.type, t.shape) for t in gguf.tensors}
    assert shapes["blk.0.ffn_gate_exps.weight"] == ("F16", (64, 96, 2))
    assert shapes["blk.0.ffn_gate_inp.weight"] == ("F32", (64, 2))


def test_norms_of_gemma_get_one_more_and_others_do_not(folder, converted):
    for architecture, more in (("Gemma2ForCausalLM", 1.0), ("LlamaForCausalLM", 0.0)):
        made = folder(architecture)
        source = open_source(made).checkpoint.array("model.norm.weight")
        gguf, _ = converted(made, "F32")
        assert np.array_equal(numbers(gguf, "output_norm.weight"), source + np.float32(more))


def test_an_output_that_is_tied_is_left_out(folder, converted):
    names = lambda **config: {  # noqa: E731
        t.name for t in converted(folder("LlamaForCausalLM", **config))[0].tensors
    }
    assert "output.weight" in names()
    assert "output.weight" not in names(tie_word_embeddings=True)


def test_positions_that_roberta_never_uses_are_left_out(folder, converted):
    gguf, _ = converted(folder("XLMRobertaModel"), "F32")
    shapes = {t.name: t.shape for t in gguf.tensors}
    assert shapes["position_embd.weight"] == (WIDTH, 64)
    assert gguf.integer("bert.context_length") == 64


def test_pooling_is_what_the_folder_says(folder, converted):
    made = folder("BertModel")
    _, notices = converted(made)
    assert notices == ("mean pooling is assumed, since there is no 1_Pooling folder",)
    (made / "1_Pooling").mkdir()
    for content, number in (
        ({"pooling_mode_cls_token": True}, 2),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, 1),
        ({"pooling_mode": "lasttoken"}, 3),
    ):
        (made / "1_Pooling" / "config.json").write_text(json.dumps(content))
        gguf, notices = converted(made)
        assert (gguf.integer("bert.pooling_type"), notices) == (number, ())
    (made / "1_Pooling" / "config.json").write_text('{"pooling_mode_max_tokens": true}')
    with pytest.raises(ConvertError, match="only mean, cls and lasttoken"):
        converted(made)


@pytest.mark.parametrize(
    ("architecture", "changes", "said"),
    [
        ("LlamaForCausalLM", {"architectures": ["FalconForCausalLM"]}, "FalconForCausalLM"),
        ("LlamaForCausalLM", {"architectures": []}, "not supported for conversion: none"),
        ("LlamaForCausalLM", {"architectures": "Llama"}, "must be a list of texts"),
        ("LlamaForCausalLM", {"quantization_config": {}}, "the checkpoint is quantized"),
        ("LlamaForCausalLM", {"num_hidden_layers": 10**9}, "from 1 to 1024"),
        ("LlamaForCausalLM", {"num_hidden_layers": LAYERS + 1}, "layer 2 are missing"),
        ("LlamaForCausalLM", {"num_hidden_layers": LAYERS - 1}, "is unknown in Llama"),
        ("LlamaForCausalLM", {"hidden_size": 32}, "the embeddings differ"),
        ("LlamaForCausalLM", {"hidden_size": "64"}, "must be a whole number"),
        ("LlamaForCausalLM", {"rms_norm_eps": None, "num_attention_heads": 7}, "not 7 heads"),
        ("LlamaForCausalLM", {"drop": ["model.embed_tokens.weight"]}, "are missing"),
        ("LlamaForCausalLM", {"more": {"model.surprise": (2,)}}, "model.surprise is unknown"),
        ("LlamaForCausalLM", {"shape": {QUERY: (63, 64)}}, "63 rows, which are not 4 heads"),
        ("MixtralForCausalLM", {"drop": [QUERY.replace("self_attn.q_proj", "x")],
         "num_experts_per_tok": 3}, "from 1 to 2"),
        ("Qwen3MoeForCausalLM", {"norm_topk_prob": False}, "norm_topk_prob must be true"),
        ("Qwen2MoeForCausalLM", {"decoder_sparse_step": 2}, "layers without experts"),
        ("Gemma2ForCausalLM", {"query_pre_attn_scalar": 99}, "query_pre_attn_scalar must be 16"),
        ("Gemma3ForCausalLM", {"layer_types": ["sliding_attention"]}, "must name 2 layers"),
        ("SmolLM3ForCausalLM", {"no_rope_layers": [0, 0]}, "only each fourth layer"),
        ("Phi3ForCausalLM", {"partial_rotary_factor": 0.5}, "must have 4 numbers"),
        ("BertModel", {"position_embedding_type": "relative_key"}, "only absolute positions"),
        ("BertModel", {"hidden_act": "relu"}, "hidden_act must be one of"),
        ("NomicBertModel", {"moe_every_n_layers": 2}, "mixture of experts is not supported"),
    ],
)  # fmt: skip
def test_what_would_compute_something_else_is_refused(
    folder, converted, architecture, changes, said
):
    with pytest.raises(ConvertError, match=said):
        converted(folder(architecture, **changes))


def test_constants_beside_the_weights_are_left_out(folder, converted, loads):
    more = {"model.layers.0.self_attn.rotary_emb.inv_freq": (8,)}
    gguf, _ = converted(folder("LlamaForCausalLM", more=more))
    assert loads(gguf.path)


def test_a_window_that_llama_cpp_does_not_keep_is_told(folder, converted):
    _, notices = converted(folder("MistralForCausalLM", sliding_window=32))
    assert "not at the last 32 only" in notices[0]


# Models that see

VISION = {
    "model_type": "siglip_vision_model", "hidden_size": 32, "intermediate_size": 48,
    "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28, "patch_size": 14,
}  # fmt: skip
COLOURS = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}


@pytest.fixture
def llava(tmp_path):
    """Writes a LLaVA with a SigLIP tower."""

    def make(**config):
        facts, tensors = FAMILIES["LlamaForCausalLM"]
        shapes = {f"language_model.{name}": shape for name, shape in tensors.items()}
        tower = "vision_tower.vision_model"
        shapes |= {
            f"{tower}.embeddings.patch_embedding.weight": (32, 3, 14, 14),
            f"{tower}.embeddings.patch_embedding.bias": (32,),
            f"{tower}.embeddings.position_embedding.weight": (4, 32),
            f"{tower}.post_layernorm.weight": (32,),
            f"{tower}.head.probe": (1, 1, 32),
            "multi_modal_projector.linear_1.weight": (64, 32),
            "multi_modal_projector.linear_1.bias": (64,),
            "multi_modal_projector.linear_2.weight": (64, 64),
            "multi_modal_projector.linear_2.bias": (64,),
        }
        for name in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"):
            shapes[f"{tower}.encoder.layers.0.{name}.weight"] = (32, 32)
        made = tmp_path / "llava"
        made.mkdir(exist_ok=True)
        ones = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
        safetensors(made / "model.safetensors", ones)
        whole = {
            "architectures": ["LlavaForConditionalGeneration"],
            "text_config": facts | {"model_type": "llama"},
            "vision_config": VISION,
            "vision_feature_select_strategy": "full",
            **config,
        }
        (made / "config.json").write_text(json.dumps(whole))
        (made / "preprocessor_config.json").write_text(json.dumps(COLOURS))
        (made / "tokenizer.json").write_text(json.dumps({"model": {}}))
        return made

    return make


def test_a_model_that_sees_has_a_projector(llava, tmp_path):
    plan = plan_projector(open_source(llava()), "")
    facts = {key: value.value for key, value in plan.gguf.kv_data[0].items()}
    assert facts["general.architecture"] == "clip"
    assert facts["clip.projector_type"] == "mlp"
    assert facts["clip.vision.projection_dim"] == 64
    assert facts["clip.vision.image_mean"] == [0.5, 0.5, 0.5]
    names = set(plan.gguf.tensors[0])
    assert {"mm.0.weight", "mm.2.bias", "v.patch_embd.weight", "v.blk.0.attn_q.weight"} <= names
    assert not any("head" in name or "post_ln" in name for name in names)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"vision_config": None}, "has no vision_config"),
        ({"vision_config": VISION | {"model_type": "pixtral"}}, "only CLIP and SigLIP"),
        ({"vision_config": VISION | {"hidden_act": "relu"}}, "hidden_act 'relu'"),
        ({"vision_feature_layer": -1}, "vision_feature_layer must be -2"),
        ({"vision_feature_select_strategy": "default"}, "must be full"),
        ({"projector_hidden_act": "relu"}, "must be gelu"),
    ],
)
def test_towers_that_llama_cpp_computes_otherwise_are_refused(llava, changes, said):
    with pytest.raises(ConvertError, match=said):
        plan_projector(open_source(llava(**changes)), "")


def test_a_projector_needs_to_know_the_colours(llava):
    made = llava()
    (made / "preprocessor_config.json").unlink()
    with pytest.raises(ConvertError, match="image_mean and image_std is needed"):
        plan_projector(open_source(made), "")


def test_a_model_without_eyes_has_no_projector(folder):
    assert plan_projector(open_source(folder("LlamaForCausalLM")), "") is None
