"""Qwen 2, 2.5, 3 and their mixtures of experts."""

from collections.abc import Iterable
from typing import Final

import attrs
from gguf import MODEL_ARCH

from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.families.family import Draft, Family, add_decoder
from actorllm.actors.builder.convert.jsonfile import Section
from actorllm.actors.builder.convert.parts import Cut, gate_and_up

__all__ = ["FAMILIES"]


def _describe(config: Section, draft: Draft) -> None:
    add_decoder(config, draft)
    if config.flag("use_sliding_window"):
        draft.notices.append("attention looks at all tokens, not at a sliding window")


def _describe_experts(config: Section, draft: Draft, *, normed: bool) -> None:
    _describe(config, draft)
    if config.flag("norm_topk_prob", default=normed) != normed:
        raise ConvertError(f"{config.name}: norm_topk_prob must be {str(normed).lower()}")
    if config.optional_integer("decoder_sparse_step") not in (None, 1) or config.raw(
        "mlp_only_layers"
    ):
        raise ConvertError(f"{config.name}: layers without experts are not supported")
    draft.gguf.add_expert_feed_forward_length(config.integer("moe_intermediate_size"))


def _describe_qwen2_moe(config: Section, draft: Draft) -> None:
    _describe_experts(config, draft, normed=False)
    shared = config.integer("shared_expert_intermediate_size")
    draft.gguf.add_expert_shared_feed_forward_length(shared)


def _describe_qwen3_moe(config: Section, draft: Draft) -> None:
    _describe_experts(config, draft, normed=True)


def _experts_apart(cut: Cut, _config: Section) -> Iterable[Cut]:
    """Take gate and up apart where all experts lie in one tensor."""
    base = cut.name.removesuffix(".weight")
    if base.endswith(".experts.down_proj"):
        return (attrs.evolve(cut, name=f"{base}.weight"),)
    if not base.endswith(".experts.gate_up_proj"):
        return (cut,)
    stem = base.removesuffix("gate_up_proj")
    return gate_and_up(cut, f"{stem}gate_proj.weight", f"{stem}up_proj.weight")


FAMILIES: Final = (
    Family(
        architectures=("Qwen2ForCausalLM",),
        model_types=("qwen2",),
        arch=MODEL_ARCH.QWEN2,
        describe=_describe,
    ),
    Family(
        architectures=("Qwen2MoeForCausalLM",),
        arch=MODEL_ARCH.QWEN2MOE,
        describe=_describe_qwen2_moe,
        cut=_experts_apart,
    ),
    Family(
        architectures=("Qwen3ForCausalLM",),
        model_types=("qwen3",),
        arch=MODEL_ARCH.QWEN3,
        describe=_describe,
    ),
    Family(
        architectures=("Qwen3MoeForCausalLM",),
        arch=MODEL_ARCH.QWEN3MOE,
        describe=_describe_qwen3_moe,
        cut=_experts_apart,
    ),
)
