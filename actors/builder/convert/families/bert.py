"""Embedders: BERT, MiniLM, BGE, XLM-RoBERTa, Nomic."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from gguf import MODEL_ARCH, PoolingType

from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.families.family import Draft, Family, block_count
from actorllm.actors.builder.convert.jsonfile import Section
from actorllm.actors.builder.convert.parts import Cut, sliced
from actorllm.actors.builder.convert.rope import rope_of

__all__ = ["FAMILIES"]

_PREFIXES: Final = ("bert.", "roberta.", "model.")
_HEADS: Final = ("pooler.", "cls.", "lm_head.", "embeddings.position_ids", "classifier.")
"""What follows the last hidden states, or is a constant."""
_POOLINGS: Final[Mapping[str, PoolingType]] = {
    "pooling_mode_cls_token": PoolingType.CLS,
    "pooling_mode_mean_tokens": PoolingType.MEAN,
    "pooling_mode_lasttoken": PoolingType.LAST,
}
_POOLING_NAMES: Final[Mapping[str, PoolingType]] = {
    "cls": PoolingType.CLS,
    "mean": PoolingType.MEAN,
    "lasttoken": PoolingType.LAST,
}


def _rename(name: str) -> str | None:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    if name.startswith(_HEADS):
        return None
    name = re.sub(r"\.gamma$", ".weight", name)
    return re.sub(r"\.beta$", ".bias", name)


def _add_encoder(config: Section, draft: Draft, positions: int) -> None:
    gguf = draft.gguf
    gguf.add_block_count(block_count(config))
    gguf.add_context_length(positions)
    gguf.add_embedding_length(config.integer("hidden_size", "n_embd"))
    gguf.add_head_count(config.integer("num_attention_heads", "n_head"))
    gguf.add_layer_norm_eps(config.number("layer_norm_eps", "layer_norm_epsilon"))
    gguf.add_causal_attention(False)
    gguf.add_token_type_count(config.optional_integer("type_vocab_size") or 1)
    gguf.add_pooling_type(_pooling(draft))


def _pooling(draft: Draft) -> PoolingType:
    """Return how the hidden states become one vector, as the folder says."""
    modules = draft.folder.get("modules.json")
    paths = [name for name in draft.folder if re.fullmatch(r"\d+_Pooling/config\.json", name)]
    if not paths:
        what = "modules.json names none" if modules is not None else "there is no 1_Pooling folder"
        draft.notices.append(f"mean pooling is assumed, since {what}")
        return PoolingType.MEAN
    section = draft.folder[min(paths)]
    named = section.text("pooling_mode")
    chosen = [kind for key, kind in _POOLINGS.items() if section.flag(key)]
    if named is not None:
        chosen = [_POOLING_NAMES[named]] if named in _POOLING_NAMES else []
    if len(chosen) != 1:
        raise ConvertError(f"{min(paths)}: only mean, cls and lasttoken pooling are supported")
    return chosen[0]


def _describe(config: Section, draft: Draft) -> None:
    if config.text("position_embedding_type") not in (None, "absolute"):
        raise ConvertError(f"{config.name}: only absolute positions are supported")
    _check_activation(config, "hidden_act", {"gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast"})
    _add_encoder(config, draft, config.integer("max_position_embeddings") - _offset(config))
    draft.gguf.add_feed_forward_length(config.integer("intermediate_size"))


def _check_activation(config: Section, key: str, known: set[str]) -> None:
    if config.text(key) not in {None, *known}:
        raise ConvertError(f"{config.name}: {key} must be one of {', '.join(sorted(known))}")


def _offset(config: Section) -> int:
    """Return the rows of the positions that are never used: RoBERTa counts from the padding."""
    if config.text("model_type") not in {"xlm-roberta", "roberta"}:
        return 0
    return config.integer("pad_token_id", least=0, most=16) + 1


def _cut(cut: Cut, config: Section) -> Iterable[Cut]:
    offset = _offset(config)
    if offset and cut.name == "embeddings.position_embeddings.weight":
        return (sliced(cut, cut.name, 0, offset, cut.shape[0]),)
    return (cut,)


def _describe_nomic(config: Section, draft: Draft) -> None:
    if config.raw("moe_every_n_layers"):
        raise ConvertError(f"{config.name}: Nomic's mixture of experts is not supported")
    _check_activation(config, "activation_function", {"swiglu"})
    _check_activation(config, "hidden_act", {"silu"})
    for key, needed in (("prenorm", False), ("causal", False), ("rotary_emb_interleaved", False)):
        if config.flag(key, default=needed) != needed:
            raise ConvertError(f"{config.name}: {key} must be {str(needed).lower()}")
    if config.optional_number("rotary_emb_fraction") not in (None, 1.0):
        raise ConvertError(f"{config.name}: rotary_emb_fraction must be 1")
    positions = config.integer("max_position_embeddings", "n_positions")
    trained = config.optional_integer("max_trained_positions")
    _add_encoder(config, draft, min(positions, trained or 2048))
    draft.gguf.add_feed_forward_length(config.integer("intermediate_size", "n_inner"))
    base = config.optional_number("rotary_emb_base") or rope_of(config).base
    draft.gguf.add_rope_freq_base(base)


_DEFAULTS: Final[Mapping[str, Any]] = {"layer_norm_eps": 1e-12}

FAMILIES: Final = (
    Family(
        architectures=(
            "BertModel", "BertForMaskedLM", "BertForPreTraining", "XLMRobertaModel",
            "XLMRobertaForMaskedLM", "RobertaModel", "RobertaForMaskedLM",
        ),
        arch=MODEL_ARCH.BERT,
        describe=_describe,
        rename=_rename,
        cut=_cut,
        defaults=_DEFAULTS,
        words="encoder",
    ),
    Family(
        architectures=("NomicBertModel",),
        arch=MODEL_ARCH.NOMIC_BERT,
        describe=_describe_nomic,
        rename=_rename,
        defaults=_DEFAULTS,
        words="encoder",
    ),
)  # fmt: skip
