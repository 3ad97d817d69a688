"""CLIP and SigLIP towers with the projectors of LLaVA and Gemma 3."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
from gguf import MODEL_ARCH, VisionProjectorType

from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.families.family import Draft, block_count, nothing_added
from actorllm.actors.builder.convert.jsonfile import Section

__all__ = ["ARCH", "PROJECTORS", "Projector", "without_prefix"]

ARCH: Final = MODEL_ARCH.MMPROJ

_MODULES: Final = re.compile(r"model\.(?=(language_model|vision_tower|multi_modal_projector)\.)")
_HEAD: Final = re.compile(r"vision_tower\.(vision_model\.)?head\.")
"""SigLIP's own pooling, in place of which there is the projector."""
_ACTIVATIONS: Final[Mapping[str, bool]] = {
    "quick_gelu": False, "gelu": True, "gelu_pytorch_tanh": True,
}  # fmt: skip
_LINEAR: Final[Mapping[str, str]] = {
    "multi_modal_projector.linear_1": "mm.0",
    "multi_modal_projector.linear_2": "mm.2",
}
_MEAN: Final = "image_mean"
_STD: Final = "image_std"


@attrs.frozen
class Projector:
    """A kind of model that sees."""

    architectures: tuple[str, ...]
    describe: Callable[[Section, Section, Draft], None]
    """Writes the metadata, from the whole config and that of the tower."""
    rename: Callable[[str], str | None]
    """To a name that the `gguf` package knows, or to one of GGUF; None: it is not of this part."""
    plus: Callable[[str], float] = nothing_added
    defaults: Mapping[str, Any] = attrs.field(factory=dict)
    """What transformers takes where the tower's config is silent."""


def without_prefix(name: str) -> str:
    """Return a tensor's name in the older of two layouts of models that see."""
    return _MODULES.sub("", name)


def _rename(name: str) -> str | None:
    name = without_prefix(name)
    if not name.startswith(("vision_tower.", "multi_modal_projector.")):
        return None
    if _HEAD.match(name) or name.endswith("position_ids"):
        return None
    module, _, suffix = name.rpartition(".")
    if module in _LINEAR:
        return f"{_LINEAR[module]}.{suffix}"
    # Transformers 5 has the tower without the module in between.
    if name.startswith("vision_tower.") and not name.startswith("vision_tower.vision_model."):
        return name.replace("vision_tower.", "vision_tower.vision_model.", 1)
    return name


def _add_tower(config: Section, tower: Section, draft: Draft) -> None:
    gguf = draft.gguf
    text = config.section("text_config") or config
    gguf.add_clip_has_vision_encoder(True)
    gguf.add_vision_projection_dim(text.with_defaults({"hidden_size": 4096}).integer("hidden_size"))
    gguf.add_vision_image_size(tower.integer("image_size", most=1 << 14))
    gguf.add_vision_patch_size(tower.integer("patch_size", most=1 << 10))
    gguf.add_vision_embedding_length(tower.integer("hidden_size"))
    gguf.add_vision_feed_forward_length(tower.integer("intermediate_size"))
    gguf.add_vision_block_count(block_count(tower))
    gguf.add_vision_head_count(tower.integer("num_attention_heads"))
    gguf.add_vision_attention_layernorm_eps(tower.number("layer_norm_eps"))
    activation = tower.text("hidden_act") or ""
    if activation not in _ACTIVATIONS:
        raise ConvertError(f"{tower.name}: hidden_act {activation[:40]!r} is not supported")
    gguf.add_vision_use_gelu(_ACTIVATIONS[activation])
    mean, std = _colours(draft)
    gguf.add_vision_image_mean(mean)
    gguf.add_vision_image_std(std)


def _colours(draft: Draft) -> tuple[list[float], list[float]]:
    """Return mean and deviation of the colours, as the folder says."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        section = draft.folder.get(name)
        section = section and (section.section("image_processor") or section)
        if section is not None:
            mean, std = section.numbers(_MEAN), section.numbers(_STD)
            if mean and std and len(mean) == len(std) == 3 and 0.0 not in std:
                return mean, std
    raise ConvertError("preprocessor_config.json with image_mean and image_std is needed")


def _describe_llava(config: Section, tower: Section, draft: Draft) -> None:
    if tower.text("model_type") not in {"clip_vision_model", "siglip_vision_model"}:
        raise ConvertError(f"{config.name}: only CLIP and SigLIP towers are supported")
    layer = config.raw("vision_feature_layer")
    if layer not in (None, -2, block_count(tower) - 1):
        raise ConvertError(f"{config.name}: vision_feature_layer must be -2")
    # llama.cpp leaves the class token out, which SigLIP does not have.
    needed = "default" if tower.text("model_type") == "clip_vision_model" else "full"
    if (config.text("vision_feature_select_strategy") or "default") != needed:
        raise ConvertError(f"{config.name}: vision_feature_select_strategy must be {needed}")
    if config.text("projector_hidden_act") not in (None, "gelu"):
        raise ConvertError(f"{config.name}: projector_hidden_act must be gelu")
    if needed == "default":
        draft.notices.append(
            "llama.cpp puts the class token of CLIP after the patches, not before: "
            "pictures are seen shifted by one patch"
        )
    _add_tower(config, tower, draft)
    draft.gguf.add_clip_projector_type("mlp")


def _describe_gemma3(config: Section, tower: Section, draft: Draft) -> None:
    _add_tower(config, tower, draft)
    draft.gguf.add_clip_projector_type(VisionProjectorType.GEMMA3)
    tokens = config.optional_integer("mm_tokens_per_image") or 256
    across = tower.integer("image_size") // tower.integer("patch_size")
    draft.gguf.add_vision_projector_scale_factor(max(1, across // max(1, int(tokens**0.5))))


def _rename_llava(name: str) -> str | None:
    # The features are those before the last layer, but llama.cpp would normalize them all the same.
    return None if ".post_layernorm." in name else _rename(name)


def _rename_gemma3(name: str) -> str | None:
    renamed = _rename(name)
    if renamed == "multi_modal_projector.mm_input_projection_weight":
        return "multi_modal_projector.mm_input_projection.weight"
    return renamed


_SIGLIP: Final[Mapping[str, Any]] = {"hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6}

PROJECTORS: Final = (
    Projector(
        architectures=("LlavaForConditionalGeneration",),
        describe=_describe_llava,
        rename=_rename_llava,
        defaults={"hidden_act": "quick_gelu", "layer_norm_eps": 1e-5},
    ),
    Projector(
        architectures=("Gemma3ForConditionalGeneration",),
        describe=_describe_gemma3,
        rename=_rename_gemma3,
        plus=lambda name: 1.0 if name.endswith("mm_soft_emb_norm.weight") else 0.0,
        defaults=_SIGLIP,
    ),
)
