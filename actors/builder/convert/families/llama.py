"""Llama, Mistral, Mixtral, SmolLM3."""

from collections.abc import Iterable
from typing import Final

from gguf import MODEL_ARCH

from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.families.family import (
    Constants,
    Draft,
    Family,
    add_decoder,
    block_count,
    head_size,
    rotary_pairs,
)
from actorllm.actors.builder.convert.jsonfile import Section
from actorllm.actors.builder.convert.parts import Cut
from actorllm.actors.builder.convert.rope import llama3_factors, rope_of

__all__ = ["FAMILIES", "describe", "paired", "rope_constants"]

_NO_ROPE_EVERY: Final = 4
"""Each such layer of SmolLM3 has no positions; llama.cpp knows no other interval."""


def describe(config: Section, draft: Draft) -> None:
    """Write the metadata of Llama and what is built like it."""
    add_decoder(config, draft)
    draft.gguf.add_rope_dimension_count(head_size(config))
    window = config.optional_integer("sliding_window")
    if window is not None and window < config.integer("max_position_embeddings"):
        draft.notices.append(
            f"attention looks at all tokens, not at the last {window} only: "
            "answers may get worse past that length"
        )


def paired(cut: Cut, config: Section) -> Iterable[Cut]:
    return (rotary_pairs(cut, config),)


def rope_constants(config: Section) -> Constants:
    factors = llama3_factors(rope_of(config), head_size(config))
    return {} if factors is None else {"rope_freqs.weight": factors}


def _describe_smollm3(config: Section, draft: Draft) -> None:
    add_decoder(config, draft)
    draft.gguf.add_rope_dimension_count(head_size(config))
    expected = [int(bool((i + 1) % _NO_ROPE_EVERY)) for i in range(block_count(config))]
    if config.raw("no_rope_layers") not in (None, expected):
        raise ConvertError(f"{config.name}: only each fourth layer may be without rope")
    if config.flag("use_sliding_window"):
        raise ConvertError(f"{config.name}: a sliding window is not supported")


FAMILIES: Final = (
    Family(
        architectures=("LlamaForCausalLM", "MistralForCausalLM", "MixtralForCausalLM"),
        model_types=("llama", "mistral", "mixtral"),
        arch=MODEL_ARCH.LLAMA,
        describe=describe,
        cut=paired,
        constants=rope_constants,
        defaults={
            "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
            "num_attention_heads": 32, "max_position_embeddings": 2048, "rms_norm_eps": 1e-6,
        },
    ),
    Family(
        architectures=("SmolLM3ForCausalLM",),
        arch=MODEL_ARCH.SMOLLM3,
        describe=_describe_smollm3,
        cut=paired,
        constants=rope_constants,
    ),
)  # fmt: skip
