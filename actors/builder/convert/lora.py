"""A LoRA adapter's folder to the plan of a GGUF file."""

import math
import re
from pathlib import Path
from typing import Final

import attrs
from gguf import MODEL_ARCH_NAMES, GGUFType, GGUFWriter, get_tensor_name_map

from actorllm.actors.builder.convert.assemble import Plan
from actorllm.actors.builder.convert.checkpoint import Checkpoint, open_checkpoint
from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.families.family import Family
from actorllm.actors.builder.convert.families.table import family_of_gguf
from actorllm.actors.builder.convert.families.vision import without_prefix
from actorllm.actors.builder.convert.jsonfile import Section, read_json
from actorllm.actors.builder.convert.parts import Cut, whole
from actorllm.actors.builder.convert.stored import add_tensor

__all__ = ["BaseModel", "plan_adapter"]

_TENSOR: Final = re.compile(r"(?:base_model\.model\.)?(.+)\.lora_([AB])(?:\.default)?\.weight")
_MAX_RANK: Final = 1 << 14


@attrs.frozen
class BaseModel:
    """What must be known of the model that an adapter is for."""

    architecture: str
    blocks: int
    heads: int
    kv_heads: int

    def config(self) -> Section:
        """Return it in the words of a config."""
        heads = {"num_attention_heads": self.heads, "num_key_value_heads": self.kv_heads}
        return Section({**heads, "num_hidden_layers": self.blocks}, "the base model")


def plan_adapter(folder: Path, base: BaseModel) -> Plan:
    """Plan the GGUF file of an adapter.

    Args:
        folder: Has adapter_config.json and the weights.
        base: The model that it is for.

    Raises:
        ConvertError: It cannot be converted.
    """
    found = read_json(folder / "adapter_config.json")
    if found is None:
        raise ConvertError("adapter_config.json is needed beside the adapter's safetensors file")
    config = Section(found, "adapter_config.json")
    _check(config)
    family = family_of_gguf(base.architecture)
    checkpoint = open_checkpoint(folder)
    pairs = _pairs(checkpoint)
    gguf = GGUFWriter(None, MODEL_ARCH_NAMES[family.arch])
    gguf.add_type(GGUFType.ADAPTER)
    gguf.add_string("adapter.type", "lora")
    gguf.add_float32("adapter.lora.alpha", _alpha(config, pairs, checkpoint))
    names = get_tensor_name_map(family.arch, base.blocks)
    size = 0
    for module, halves in sorted(pairs.items()):
        name = names.get_name(f"{module}.weight", (".weight",))
        if name is None:
            raise ConvertError(f"{module} is unknown in {base.architecture} models")
        for letter, cut in _ordered(module, halves, family, base, checkpoint):
            size += add_tensor(gguf, f"{name}.lora_{letter}", cut.shape, (cut,), checkpoint, "F32")
    return Plan(gguf, size, ())


def _check(config: Section) -> None:
    """Refuse what llama.cpp would leave out."""
    if config.text("peft_type") not in (None, "LORA"):
        raise ConvertError("only LoRA adapters are supported")
    for key in ("use_dora", "fan_in_fan_out", "lora_bias", "modules_to_save", "alpha_pattern"):
        if config.raw(key):
            raise ConvertError(f"adapter_config.json: {key} is not supported")
    if config.text("bias") not in (None, "none"):
        raise ConvertError("adapter_config.json: bias must be none")


def _pairs(checkpoint: Checkpoint) -> dict[str, dict[str, str]]:
    """Return the two tensors of each module, in the words of the base model's checkpoint."""
    pairs: dict[str, dict[str, str]] = {}
    for entry in checkpoint.entries.values():
        found = _TENSOR.fullmatch(entry.name)
        if found is None or len(entry.shape) != 2:
            raise ConvertError(f"tensor {entry.name} is no half of a LoRA pair")
        module = without_prefix(found[1]).removeprefix("language_model.")
        module = module if module.startswith(("model.", "lm_head")) else f"model.{module}"
        if pairs.setdefault(module, {}).setdefault(found[2], entry.name) != entry.name:
            raise ConvertError(f"tensor {entry.name} is there twice")
    for module, halves in pairs.items():
        if set(halves) != {"A", "B"}:
            raise ConvertError(f"{module} has only one half of a LoRA pair")
        down, up = (checkpoint.entries[halves[letter]].shape for letter in "AB")
        if down[0] != up[1] or not 0 < down[0] <= _MAX_RANK:
            raise ConvertError(f"the halves of {module} do not fit together")
    if not pairs:
        raise ConvertError("the adapter has no tensors")
    return pairs


def _alpha(config: Section, pairs: dict[str, dict[str, str]], checkpoint: Checkpoint) -> float:
    """Return the number that llama.cpp divides by the rank to get the adapter's strength."""
    alpha = config.number("lora_alpha")
    if not config.flag("use_rslora"):
        return alpha
    # This kind divides by the root of the rank.
    ranks = {checkpoint.entries[halves["A"]].shape[0] for halves in pairs.values()}
    if len(ranks) != 1:
        raise ConvertError("adapter_config.json: use_rslora with several ranks is not supported")
    return alpha * math.sqrt(ranks.pop())


def _ordered(
    module: str, halves: dict[str, str], family: Family, base: BaseModel, checkpoint: Checkpoint
) -> list[tuple[str, Cut]]:
    """Return both halves; the rows of the second are ordered as those of the weights."""
    down, up = (
        whole(halves[letter], f"{module}.weight", checkpoint.entries[halves[letter]].shape)
        for letter in "AB"
    )
    cuts = list(family.cut(up, base.config()))
    if len(cuts) != 1:
        raise ConvertError(f"adapters of {module} are not supported")
    return [("a", down), ("b", cuts[0])]
