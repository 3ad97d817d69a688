"""Which family has which architecture."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gguf import MODEL_ARCH_NAMES

from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.families import bert, gemma, granite, llama, phi, qwen, vision
from actorllm.actors.builder.convert.families.family import Family
from actorllm.actors.builder.convert.families.vision import Projector
from actorllm.actors.builder.convert.jsonfile import Section

__all__ = ["ALL", "family_of", "family_of_gguf", "projector_of"]

ALL: Final = (
    *llama.FAMILIES, *qwen.FAMILIES, *gemma.FAMILIES, *phi.FAMILIES, *granite.FAMILIES,
    *bert.FAMILIES,
)  # fmt: skip

_BY_ARCHITECTURE: Final[Mapping[str, Family]] = MappingProxyType(
    {name: family for family in ALL for name in family.architectures}
)
_BY_MODEL_TYPE: Final[Mapping[str, Family]] = MappingProxyType(
    {name: family for family in ALL for name in family.model_types}
)
_PROJECTORS: Final[Mapping[str, Projector]] = MappingProxyType(
    {name: projector for projector in vision.PROJECTORS for name in projector.architectures}
)


def family_of(config: Section) -> tuple[Family, Section]:
    """Return the family of a model, or of its text part, and that part's config.

    Raises:
        ConvertError: None has this architecture.
    """
    if projector_of(config) is not None:
        text = config.section("text_config")
        kind = (text.text("model_type") if text is not None else None) or ""
        if text is None or kind not in _BY_MODEL_TYPE:
            raise ConvertError(f"{config.name}: a text part of the kind {kind!r} is not supported")
        family = _BY_MODEL_TYPE[kind]
        return family, text.with_defaults(family.defaults)
    names = config.texts("architectures")
    for name in names:
        if name in _BY_ARCHITECTURE:
            family = _BY_ARCHITECTURE[name]
            return family, config.with_defaults(family.defaults)
    shown = ", ".join(names)[:80] or "none"
    raise ConvertError(f"the architecture is not supported for conversion: {shown}")


def projector_of(config: Section) -> Projector | None:
    """Return the kind of a model that sees, None if it does not see."""
    found = (_PROJECTORS.get(name) for name in config.texts("architectures"))
    return next((projector for projector in found if projector is not None), None)


def family_of_gguf(architecture: str) -> Family:
    """Return the family of a model that is GGUF already, for its adapters.

    Raises:
        ConvertError: No adapter for it is converted.
    """
    for family in ALL:
        if MODEL_ARCH_NAMES[family.arch] == architecture and family.words == "text":
            return family
    raise ConvertError(f"adapters for {architecture[:40]!r} models are not converted")
