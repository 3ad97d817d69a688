"""Rotary positions: base, scaling, and factors for each frequency."""

import math
from collections.abc import Mapping
from typing import Any, Final

import attrs
import numpy as np
from gguf import GGUFWriter, RopeScalingType

from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.jsonfile import Section

__all__ = ["Rope", "add_rope", "llama3_factors", "longrope_attention", "rope_of"]

Array = np.ndarray[Any, np.dtype[Any]]

_BASE: Final = 10_000.0
_NESTED: Final = ("full_attention", "sliding_attention")
_TYPES: Final = frozenset({"default", "linear", "yarn", "llama3", "longrope", "su", "dynamic"})


@attrs.frozen
class Rope:
    """What a config says of rotary positions."""

    kind: str
    """One of `_TYPES`."""
    base: float
    local_base: float | None
    """Of layers with a sliding window, where they have their own."""
    scaling: Section


def rope_of(config: Section) -> Rope:
    """Read it, in the words of transformers 5 (`rope_parameters`) or before (`rope_scaling`).

    Raises:
        ConvertError: A value is missing, or the kind of scaling is unknown.
    """
    given = config.section("rope_parameters") or config.section("rope_scaling")
    values: Mapping[str, Any] = {}
    local = config.optional_number("rope_local_base_freq")
    if given is not None:
        full, sliding = (given.section(key) for key in _NESTED)
        values = {key: given.raw(key) for key in _KEYS}
        if full is not None or sliding is not None:
            values = {key: full.raw(key) for key in _KEYS} if full is not None else {}
            if sliding is not None:
                local = sliding.optional_number("rope_theta") or local
    scaling = Section(values, config.name, {"rope_type": "default"})
    kind = scaling.text("rope_type", "type") or "default"
    if kind not in _TYPES:
        raise ConvertError(f"{config.name}: rope scaling {kind[:40]!r} is not supported")
    base = scaling.optional_number("rope_theta") or config.optional_number("rope_theta")
    return Rope(kind, base or _BASE, local, scaling)


_KEYS: Final = (
    "rope_type", "type", "rope_theta", "factor", "original_max_position_embeddings",
    "attention_factor", "extrapolation_factor", "beta_fast", "beta_slow", "low_freq_factor",
    "high_freq_factor", "short_factor", "long_factor", "partial_rotary_factor",
)  # fmt: skip


def add_rope(gguf: GGUFWriter, rope: Rope, context: int, notices: list[str]) -> None:
    """Write the base and the scaling; factors are tensors, which others write.

    Args:
        gguf: Gets the metadata.
        rope: What the config says.
        context: Greatest position of the model.
        notices: Gets what is not done.
    """
    gguf.add_rope_freq_base(rope.base)
    if rope.local_base is not None:
        gguf.add_rope_freq_base_swa(rope.local_base)
    if rope.kind == "linear":
        gguf.add_rope_scaling_type(RopeScalingType.LINEAR)
        gguf.add_rope_scaling_factor(rope.scaling.number("factor"))
    elif rope.kind == "yarn":
        _add_yarn(gguf, rope.scaling, context)
    elif rope.kind in {"longrope", "su"}:
        gguf.add_rope_scaling_type(RopeScalingType.LONGROPE)
    elif rope.kind == "dynamic":
        notices.append(
            "dynamic rope scaling is left out: answers get worse past the trained length"
        )


def _add_yarn(gguf: GGUFWriter, scaling: Section, context: int) -> None:
    factor = scaling.number("factor")
    if factor < 1:
        raise ConvertError(f"{scaling.name}: the factor of rope scaling must be at least 1")
    gguf.add_rope_scaling_type(RopeScalingType.YARN)
    gguf.add_rope_scaling_factor(factor)
    original = scaling.optional_integer("original_max_position_embeddings")
    gguf.add_rope_scaling_orig_ctx_len(original or max(1, int(context / factor)))
    attention = scaling.optional_number("attention_factor")
    if attention is not None:
        # llama.cpp multiplies what follows from the factor with this.
        gguf.add_rope_scaling_attn_factors(attention / (0.1 * math.log(factor) + 1.0))
    for key, add in (
        ("extrapolation_factor", gguf.add_rope_scaling_yarn_ext_factor),
        ("beta_fast", gguf.add_rope_scaling_yarn_beta_fast),
        ("beta_slow", gguf.add_rope_scaling_yarn_beta_slow),
    ):
        value = scaling.optional_number(key)
        if value is not None:
            add(value)


def llama3_factors(rope: Rope, dimensions: int) -> Array | None:
    """Return by what each frequency is divided, None where the scaling is of another kind.

    Long waves are stretched by the factor, short ones are kept, and between the two borders the
    frequency is interpolated; as in Llama 3.1's own description.

    Args:
        rope: What the config says.
        dimensions: Numbers of a head that are rotated.
    """
    if rope.kind != "llama3":
        return None
    factor, low, high = map(rope.scaling.number, ("factor", "low_freq_factor", "high_freq_factor"))
    if not factor > 0 or not high > low > 0 or not rope.base > 0:
        raise ConvertError(f"{rope.scaling.name}: the factors of llama3 rope scaling make no sense")
    context = rope.scaling.integer("original_max_position_embeddings")
    powers = np.arange(0, dimensions, 2, dtype=np.float64) / dimensions
    turns = context * rope.base**-powers / (2 * math.pi)
    smooth = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return (1.0 / ((1.0 - smooth) / factor + smooth)).astype(np.float32)


def longrope_attention(context: int, original: int) -> float:
    """Return by how much attention grows where a model was stretched from a shorter context."""
    scale = context / original
    if scale <= 1 or original <= 1:
        return 1.0
    return math.sqrt(1 + math.log(scale) / math.log(original))
