"""Phi-3, 3.5 and 4 (their text models without experts)."""

from typing import Final

import numpy as np
from gguf import MODEL_ARCH

from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.families.family import (
    Constants,
    Draft,
    Family,
    add_decoder,
    head_size,
)
from actorllm.actors.builder.convert.jsonfile import Section
from actorllm.actors.builder.convert.rope import longrope_attention, rope_of

__all__ = ["FAMILIES"]


_LONG: Final = frozenset({"longrope", "su"})


def _rotated(config: Section) -> int:
    """Return how many numbers of a head are rotated."""
    share = rope_of(config).scaling.optional_number("partial_rotary_factor")
    share = share or config.optional_number("partial_rotary_factor") or 1.0
    return int(share * head_size(config))


def _original(config: Section) -> int:
    """Return the context that the model was trained with at first."""
    key = "original_max_position_embeddings"
    inner = rope_of(config).scaling.optional_integer(key)
    outer = config.optional_integer(key)
    return inner or outer or config.integer("max_position_embeddings")


def _describe(config: Section, draft: Draft) -> None:
    add_decoder(config, draft)
    draft.gguf.add_rope_dimension_count(_rotated(config))
    draft.gguf.add_rope_scaling_orig_ctx_len(_original(config))
    rope = rope_of(config)
    if rope.kind in _LONG:
        attention = rope.scaling.optional_number("attention_factor") or longrope_attention(
            config.integer("max_position_embeddings"), _original(config)
        )
        draft.gguf.add_rope_scaling_attn_factors(attention)
    window = config.optional_integer("sliding_window")
    # llama.cpp looks at all tokens, and takes 0 for models that were trained so.
    draft.gguf.add_sliding_window(window or 0)
    if window is not None and window < config.integer("max_position_embeddings"):
        draft.notices.append(
            f"attention looks at all tokens, not at the last {window} only: "
            "answers may get worse past that length"
        )


def _constants(config: Section) -> Constants:
    rope = rope_of(config)
    if rope.kind not in _LONG:
        return {}
    long, short = rope.scaling.numbers("long_factor"), rope.scaling.numbers("short_factor")
    pairs = _rotated(config) // 2
    if long is None or short is None or len(long) != pairs or len(short) != pairs:
        raise ConvertError(f"{config.name}: long_factor and short_factor must have {pairs} numbers")
    return {
        "rope_factors_long.weight": np.array(long, np.float32),
        "rope_factors_short.weight": np.array(short, np.float32),
    }


FAMILIES: Final = (
    Family(
        architectures=("Phi3ForCausalLM",),
        model_types=("phi3",),
        arch=MODEL_ARCH.PHI3,
        describe=_describe,
        constants=_constants,
    ),
)
