"""Gemma 2 and 3."""

from typing import Final

from gguf import MODEL_ARCH

from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.families.family import (
    Draft,
    Family,
    add_decoder,
    block_count,
    head_size,
)
from actorllm.actors.builder.convert.jsonfile import Section

__all__ = ["FAMILIES"]

_BIG_2: Final = 46
"""Layers of Gemma 2 27B, whose attention llama.cpp scales by the embedding's size."""
_BIG_3: Final = 62


def _check_scale(config: Section, big: int) -> None:
    """Refuse attention scales that llama.cpp does not take from the file."""
    scalar = config.optional_number("query_pre_attn_scalar")
    heads = config.integer("num_attention_heads")
    by_size = config.integer("hidden_size") // heads
    expected = by_size if block_count(config) == big else head_size(config)
    if scalar is not None and scalar != expected:
        raise ConvertError(f"{config.name}: query_pre_attn_scalar must be {expected}")


def _describe_2(config: Section, draft: Draft) -> None:
    _check_scale(config, _BIG_2)
    add_decoder(config, draft)
    draft.gguf.add_attn_logit_softcapping(config.number("attn_logit_softcapping"))
    draft.gguf.add_final_logit_softcapping(config.number("final_logit_softcapping"))
    draft.gguf.add_sliding_window(config.integer("sliding_window"))
    _add_pattern(config, draft, 2)


def _describe_3(config: Section, draft: Draft) -> None:
    _check_scale(config, _BIG_3)
    if config.optional_number("attn_logit_softcapping"):
        raise ConvertError(f"{config.name}: attn_logit_softcapping is not supported")
    add_decoder(config, draft)
    softcap = config.optional_number("final_logit_softcapping")
    if softcap:
        draft.gguf.add_final_logit_softcapping(softcap)
    draft.gguf.add_sliding_window(config.integer("sliding_window"))
    _add_pattern(config, draft, config.optional_integer("sliding_window_pattern") or 6)


def _add_pattern(config: Section, draft: Draft, every: int) -> None:
    """Write which layers look at a window only."""
    layers = block_count(config)
    kinds = config.texts("layer_types")
    if kinds and len(kinds) != layers:
        raise ConvertError(f"{config.name}: layer_types must name {layers} layers")
    sliding = [kind == "sliding_attention" for kind in kinds]
    draft.gguf.add_sliding_window_pattern(sliding or [bool((i + 1) % every) for i in range(layers)])


def _plus(name: str) -> float:
    # Gemma's norms scale by one plus the weight, llama.cpp's by the weight.
    return 1.0 if name.endswith("norm.weight") else 0.0


FAMILIES: Final = (
    Family(
        architectures=("Gemma2ForCausalLM",),
        model_types=("gemma2",),
        arch=MODEL_ARCH.GEMMA2,
        describe=_describe_2,
        plus=_plus,
        tied=True,
    ),
    Family(
        architectures=("Gemma3ForCausalLM",),
        model_types=("gemma3_text",),
        arch=MODEL_ARCH.GEMMA3,
        describe=_describe_3,
        plus=_plus,
        tied=True,
        defaults={
            "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256,
            "max_position_embeddings": 131_072, "rms_norm_eps": 1e-6, "rope_theta": 1e6,
            "rope_local_base_freq": 10_000.0, "sliding_window": 4096,
        },
    ),
)  # fmt: skip
