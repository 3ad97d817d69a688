"""Small random checkpoints of each architecture.

A maker gets the folder of the checkpoint and returns the model, its tokenizer, and the type that its
weights are saved in.
"""

import json
from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from vocabularies import (
    digits,
    gemma,
    gemma_json,
    gpt2,
    gpt4o,
    llama3,
    qwen2,
    smaug,
    spm,
    spm_json,
    tekken,
    unigram,
    wordpiece,
)

__all__ = ["MAKERS", "adapted"]

WIDTH, HEADS, KV_HEADS, INNER, LAYERS, CONTEXT = 64, 4, 2, 96, 4, 128
RANK, ALPHA = 4, 24


def sizes(tokenizer, **more) -> dict:
    return {
        "vocab_size": len(tokenizer) + 5,  # rows that no token has
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "max_position_embeddings": CONTEXT,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": None,
        **more,
    }


def causal(name: str, tokens: Callable, dtype: torch.dtype = torch.float32, **more):
    """Return a maker of a decoder."""

    def make(folder: Path):
        tokenizer = tokens(folder)
        # Gemma 3 has a config of another name for its text part.
        words, _, whole = name.partition("|")
        config = getattr(transformers, f"{words}Config")(**sizes(tokenizer, **more))
        model = getattr(transformers, f"{whole or words}ForCausalLM")(config)
        return scrambled(model, dtype), tokenizer, dtype

    return make


def encoder(name: str, tokens: Callable, *, pooling: str, **more):
    """Return a maker of an embedder."""

    def make(folder: Path):
        tokenizer = tokens(folder)
        facts = sizes(tokenizer, pad_token_id=tokenizer.pad_token_id, type_vocab_size=2, **more)
        del facts["num_key_value_heads"]
        model = getattr(transformers, f"{name}Model")(
            getattr(transformers, f"{name}Config")(**facts)
        )
        module = folder / "1_Pooling"
        module.mkdir(parents=True)
        keys = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token"}
        (module / "config.json").write_text(json.dumps({keys[pooling]: True}))
        (folder / "modules.json").write_text("[]")
        return scrambled(model), tokenizer, torch.float32

    return make


def llava(tower: str):
    def make(folder: Path):
        tokenizer = spm(folder)
        facts = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4}
        facts |= {"num_attention_heads": 2, "image_size": 56, "patch_size": 14}
        config = transformers.LlavaConfig(
            text_config=transformers.LlamaConfig(**sizes(tokenizer)),
            vision_config=getattr(transformers, f"{tower}VisionConfig")(**facts),
            image_token_index=len(tokenizer),
            vision_feature_select_strategy="default" if tower == "CLIP" else "full",
        )
        model = scrambled(transformers.LlavaForConditionalGeneration(config))
        colours = {"image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28]}
        (folder / "preprocessor_config.json").write_text(json.dumps(colours))
        return model, tokenizer, torch.float32

    return make


def gemma3_sees(folder: Path):
    tokenizer = gemma(folder)
    config = transformers.Gemma3Config(
        text_config=transformers.Gemma3TextConfig(
            **sizes(tokenizer, head_dim=32, query_pre_attn_scalar=32, sliding_window=16)
        ),
        vision_config=transformers.SiglipVisionConfig(
            hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=2,
            image_size=56, patch_size=14, vision_use_head=False,
        ),
        mm_tokens_per_image=4,
    )  # fmt: skip
    model = scrambled(transformers.Gemma3ForConditionalGeneration(config))
    colours = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    (folder / "preprocessor_config.json").write_text(json.dumps(colours))
    return model, tokenizer, torch.float32


def scrambled(model, dtype: torch.dtype = torch.float32):
    """Give every weight a value that matters, also those that are zeros and ones at first.

    The values are those of a type with fewer bits, the model stays as precise as it was.
    """
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, 0.12)
            else:
                parameter.add_(torch.randn_like(parameter) * 0.2)
            parameter.copy_(parameter.to(dtype).float())
    return model.eval()


def adapted(model, folder: Path) -> None:
    """Write a LoRA adapter of all linear layers, and put it into the model's own weights."""
    torch.manual_seed(11)
    halves = {}
    for name, module in model.model.layers.named_modules():
        if isinstance(module, torch.nn.Linear):
            low = torch.randn(RANK, module.in_features) * 0.1
            high = torch.randn(module.out_features, RANK) * 0.1
            halves[f"base_model.model.model.layers.{name}.lora_A.weight"] = low
            halves[f"base_model.model.model.layers.{name}.lora_B.weight"] = high
            with torch.no_grad():
                module.weight += high @ low * (ALPHA / RANK)
    folder.mkdir()
    save_file(halves, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "lora_alpha": ALPHA, "r": RANK}
    (folder / "adapter_config.json").write_text(json.dumps(config))


EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 48}
ROPE = {"rope_theta": 10000.0, "original_max_position_embeddings": 32}
LLAMA3_ROPE = {
    **ROPE, "rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
}  # fmt: skip
LONG = {
    **ROPE, "rope_type": "longrope", "short_factor": [1.0 + 0.05 * i for i in range(8)],
    "long_factor": [1.5 + 0.3 * i for i in range(8)],
}  # fmt: skip
GRANITE = {
    "embedding_multiplier": 6.0, "attention_multiplier": 0.3, "residual_multiplier": 0.4,
    "logits_scaling": 3.0,
}  # fmt: skip
GEMMA = {"head_dim": 32, "query_pre_attn_scalar": 32, "sliding_window": 16}

MAKERS: dict[str, Callable] = {
    "llama-bpe": causal("Llama", llama3, rope_parameters=LLAMA3_ROPE),
    "llama-spm": causal("Llama", spm, rope_parameters={**ROPE, "rope_type": "linear", "factor": 2.0}),
    "llama-tied-bf16": causal("Llama", gpt2, torch.bfloat16, tie_word_embeddings=True),
    "mistral-tekken": causal("Mistral", tekken, head_dim=32, sliding_window=None),
    "mixtral-spm-json": causal("Mixtral", spm_json, num_local_experts=4, sliding_window=None),
    "qwen2": causal("Qwen2", qwen2),
    "qwen2-yarn": causal("Qwen2", qwen2, rope_parameters={**ROPE, "rope_type": "yarn", "factor": 4.0}),
    "qwen2moe": causal("Qwen2Moe", qwen2, **EXPERTS, shared_expert_intermediate_size=80),
    "qwen3": causal("Qwen3", qwen2, head_dim=32),
    "qwen3moe": causal("Qwen3Moe", qwen2, head_dim=32, norm_topk_prob=True, **EXPERTS),
    "gemma2": causal("Gemma2", gemma, **GEMMA),
    "gemma3": causal("Gemma3Text|Gemma3", gemma_json, torch.bfloat16, **GEMMA),
    "phi3-spm": causal("Phi3", spm),
    "phi3-longrope": causal(
        "Phi3", gpt4o, rope_parameters=LONG, original_max_position_embeddings=32
    ),
    "phi4-partial": causal("Phi3", smaug, partial_rotary_factor=0.5),
    "granite": causal("Granite", digits, **GRANITE),
    "granitemoe": causal(
        "GraniteMoe", digits, num_local_experts=4, num_experts_per_tok=2, **GRANITE
    ),
    "smollm3": causal("SmolLM3", smaug, num_key_value_heads=2),
    "bert-mean": encoder("Bert", wordpiece, pooling="mean"),
    "bert-cls": encoder("Bert", wordpiece, pooling="cls"),
    "nomic-bert": encoder("NomicBert", wordpiece, pooling="mean"),
    "xlm-roberta": encoder("XLMRoberta", unigram, pooling="cls"),
    "llava-clip": llava("CLIP"),
    "llava-siglip": llava("Siglip"),
    "gemma3-siglip": gemma3_sees,
    "llama-lora": causal("Llama", spm),
}  # fmt: skip
