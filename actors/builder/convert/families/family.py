"""What a family of architectures says of itself, and what most of them say alike."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal

import attrs
import numpy as np
from gguf import MODEL_ARCH, GGUFWriter

from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.jsonfile import Section
from actorllm.actors.builder.convert.parts import Cut, permuted
from actorllm.actors.builder.convert.rope import add_rope, rope_of

__all__ = [
    "MAX_BLOCKS",
    "Constants",
    "Draft",
    "Family",
    "add_decoder",
    "block_count",
    "head_size",
    "nothing_added",
    "rotary_pairs",
]

Array = np.ndarray[Any, np.dtype[Any]]
Constants = dict[str, Array]
"""Tensors that follow from the config, by their names in GGUF."""

MAX_BLOCKS: Final = 1024


@attrs.frozen
class Draft:
    """The metadata of a GGUF file that is being made."""

    gguf: GGUFWriter
    notices: list[str] = attrs.field(factory=list)
    """What the user must know: things that are left out or assumed."""
    folder: Mapping[str, Section] = attrs.field(factory=dict)
    """Further JSON files of the folder by their paths in it."""


def _as_it_is(cut: Cut, _config: Section) -> Iterable[Cut]:
    return (cut,)


def nothing_added(_name: str) -> float:
    return 0.0


def no_constants(_config: Section) -> Constants:
    return {}


@attrs.frozen
class Family:
    """Architectures that are converted alike."""

    architectures: tuple[str, ...]
    """As `config.json` names them."""
    arch: MODEL_ARCH
    describe: Callable[[Section, Draft], None]
    """Writes the metadata; refuses what llama.cpp would compute in another way."""
    rename: Callable[[str], str | None] = lambda name: name
    """To a name that the `gguf` package knows; None: the tensor is not needed."""
    cut: Callable[[Cut, Section], Iterable[Cut]] = _as_it_is
    """To what a tensor is taken apart, and how its numbers are ordered."""
    plus: Callable[[str], float] = nothing_added
    """What is added to each number of a tensor, by its name in the checkpoint."""
    constants: Callable[[Section], Constants] = no_constants
    model_types: tuple[str, ...] = ()
    """Their `model_type`s, by which the text part of a model that sees is recognised."""
    defaults: Mapping[str, Any] = attrs.field(factory=dict)
    """What transformers takes where a config is silent."""
    words: Literal["text", "encoder"] = "text"
    """What its vocabulary is for."""
    tied: bool = False
    """Whether the output never has weights of its own."""


def block_count(config: Section) -> int:
    return config.integer("num_hidden_layers", "n_layer", most=MAX_BLOCKS)


def head_size(config: Section) -> int:
    """Return the numbers of a head."""
    given = config.optional_integer("head_dim")
    if given is not None:
        return given
    embedding, heads = config.integer("hidden_size"), config.integer("num_attention_heads")
    if embedding % heads:
        raise ConvertError(f"{config.name}: hidden_size is no multiple of num_attention_heads")
    return embedding // heads


def add_decoder(config: Section, draft: Draft) -> None:
    """Write what all decoders have in common."""
    gguf = draft.gguf
    context = config.integer("max_position_embeddings", "n_positions")
    heads = config.integer("num_attention_heads")
    gguf.add_block_count(block_count(config))
    gguf.add_context_length(context)
    gguf.add_embedding_length(config.integer("hidden_size"))
    gguf.add_feed_forward_length(config.integer("intermediate_size"))
    gguf.add_head_count(heads)
    gguf.add_head_count_kv(config.optional_integer("num_key_value_heads") or heads)
    gguf.add_layer_norm_rms_eps(config.number("rms_norm_eps"))
    gguf.add_key_length(head_size(config))
    gguf.add_value_length(head_size(config))
    add_rope(gguf, rope_of(config), context, draft.notices)
    experts = config.optional_integer("num_local_experts", "num_experts", least=0)
    if experts:
        gguf.add_expert_count(experts)
        gguf.add_expert_used_count(config.integer("num_experts_per_tok", most=experts))


def rotary_pairs(cut: Cut, config: Section) -> Cut:
    """Reorder the rows of queries and keys for llama.cpp's original rotation."""
    heads = config.integer("num_attention_heads")
    if cut.name.endswith((".q_proj.weight", ".q_proj.bias")):
        return permuted(cut, heads)
    if cut.name.endswith((".k_proj.weight", ".k_proj.bias")):
        return permuted(cut, config.optional_integer("num_key_value_heads") or heads)
    return cut
