"""Granite 3 and its mixture of experts."""

from collections.abc import Iterable
from typing import Final

from gguf import MODEL_ARCH

from actorllm.actors.builder.convert.families.family import Draft, Family, rotary_pairs
from actorllm.actors.builder.convert.families.llama import describe, paired, rope_constants
from actorllm.actors.builder.convert.jsonfile import Section
from actorllm.actors.builder.convert.parts import Cut, gate_and_up

__all__ = ["FAMILIES"]


def _describe(config: Section, draft: Draft) -> None:
    describe(config, draft)
    for key, add in (
        ("attention_multiplier", draft.gguf.add_attention_scale),
        ("embedding_multiplier", draft.gguf.add_embedding_scale),
        ("residual_multiplier", draft.gguf.add_residual_scale),
    ):
        value = config.optional_number(key)
        if value is not None:
            add(value)
    draft.gguf.add_logit_scale(config.optional_number("logits_scaling") or 1.0)


def _cut(cut: Cut, config: Section) -> Iterable[Cut]:
    """Take gate and up apart, which are one tensor for all experts."""
    if not cut.name.endswith(".block_sparse_moe.input_linear.weight"):
        return (rotary_pairs(cut, config),)
    experts = cut.name.removesuffix("block_sparse_moe.input_linear.weight") + "mlp.experts"
    return gate_and_up(cut, f"{experts}.gate_proj.weight", f"{experts}.up_proj.weight")


FAMILIES: Final = (
    Family(
        architectures=("GraniteForCausalLM",),
        model_types=("granite",),
        arch=MODEL_ARCH.GRANITE,
        describe=_describe,
        cut=paired,
        constants=rope_constants,
    ),
    Family(
        architectures=("GraniteMoeForCausalLM",),
        arch=MODEL_ARCH.GRANITE_MOE,
        describe=_describe,
        cut=_cut,
        constants=rope_constants,
    ),
)
