"""A checkpoint's folder to the plans of GGUF files: a model, and the projector of one that sees."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import attrs
from gguf import (
    GGML_QUANT_VERSION,
    MODEL_ARCH_NAMES,
    GGUFType,
    GGUFWriter,
    LlamaFileType,
    get_tensor_name_map,
)

from actorllm.actors.builder.convert.checkpoint import Checkpoint, open_checkpoint
from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.families import vision
from actorllm.actors.builder.convert.families.family import Draft, Family, block_count
from actorllm.actors.builder.convert.families.table import family_of, projector_of
from actorllm.actors.builder.convert.families.vision import Projector
from actorllm.actors.builder.convert.jsonfile import Section, read_json
from actorllm.actors.builder.convert.parts import Cut, Joined, joined, whole
from actorllm.actors.builder.convert.stored import add_tensor
from actorllm.actors.builder.convert.words import add_words

__all__ = ["Plan", "Source", "open_source", "plan_model", "plan_projector"]

_FILE_TYPES: Final[Mapping[str, LlamaFileType]] = MappingProxyType(
    {
        "F32": LlamaFileType.ALL_F32,
        "F16": LlamaFileType.MOSTLY_F16,
        "BF16": LlamaFileType.MOSTLY_BF16,
    }
)
_SUFFIXES: Final = (".weight", ".bias")
_UNUSED: Final = re.compile(r".*(\.rotary_emb\.inv_freq|\.masked_bias|\.position_ids)")
"""Constants that some checkpoints have beside their weights."""
_PRECISE: Final = (
    "_norm.weight", "ffn_gate_inp.weight", "ffn_gate_inp_shexp.weight", "position_embd.weight",
    "token_types.weight",
)  # fmt: skip
"""Matrices that llama.cpp takes as F32 only, or that are small and decide much."""
_BLOCK: Final = re.compile(r"(?:v\.)?blk\.(\d+)\.")


@attrs.frozen
class Source:
    """An opened folder."""

    folder: Path
    config: Section
    checkpoint: Checkpoint
    files: Mapping[str, Section]
    """Further JSON files by their paths in the folder."""


@attrs.frozen
class Plan:
    """A GGUF file that only has to be written."""

    gguf: GGUFWriter
    size: int
    """Bytes of its tensors."""
    notices: tuple[str, ...]


def open_source(folder: Path) -> Source:
    """Open a folder.

    Raises:
        ConvertError: Something is missing, damaged or quantized.
    """
    config = read_json(folder / "config.json")
    if config is None:
        raise ConvertError("config.json is needed beside the safetensors files")
    if config.get("quantization_config") is not None:
        raise ConvertError("the checkpoint is quantized; convert the original one instead")
    others = {
        path.relative_to(folder).as_posix(): path
        for pattern in ("preprocessor_config.json", "processor_config.json", "*/config.json")
        for path in sorted(folder.glob(pattern))
    }
    files = {name: Section(read_json(path) or {}, name) for name, path in others.items()}
    return Source(folder, Section(config, "config.json"), open_checkpoint(folder), files)


def plan_model(source: Source, requested: str) -> Plan:
    """Plan the GGUF file of a model, without its eyes.

    Args:
        source: The folder.
        requested: `F32`, `F16` or `BF16`; empty: the checkpoint's own, F16 where that is F32.

    Raises:
        ConvertError: It cannot be converted.
    """
    family, config = family_of(source.config)
    kind = requested or _own_type(source.checkpoint)
    draft = _draft(MODEL_ARCH_NAMES[family.arch], GGUFType.MODEL, kind, source.files)
    family.describe(config, draft)
    sees = projector_of(source.config) is not None
    tensors = joined(_model_cuts(source, family, config, sees=sees))
    named = _named(tensors, family, config)
    rows = _rows(named, config)
    if family.words == "text":
        draft.gguf.add_vocab_size(rows)
    size = sum(
        add_tensor(
            draft.gguf, name, one.shape, one.cuts, source.checkpoint, _type(name, one, kind),
            family.plus(one.cuts[0].name),
        )
        for name, one in named.items()
    )  # fmt: skip
    for name, array in family.constants(config).items():
        draft.gguf.add_tensor(name, array)
    add_words(draft.gguf, source.folder, rows, family.words, draft.notices)
    return Plan(draft.gguf, size, tuple(draft.notices))


def _draft(arch: str, what: str, kind: str, files: Mapping[str, Section]) -> Draft:
    gguf = GGUFWriter(None, arch)
    gguf.add_type(what)
    gguf.add_file_type(_FILE_TYPES[kind])
    gguf.add_quantization_version(GGML_QUANT_VERSION)
    return Draft(gguf, folder=files)


def _own_type(checkpoint: Checkpoint) -> str:
    bytes_of: dict[str, int] = {}
    for entry in checkpoint.entries.values():
        bytes_of[entry.dtype] = bytes_of.get(entry.dtype, 0) + entry.size
    return "BF16" if max(bytes_of, key=lambda dtype: bytes_of[dtype]) == "BF16" else "F16"


def _type(name: str, tensor: Joined, kind: str) -> str:
    return "F32" if len(tensor.shape) < 2 or name.endswith(_PRECISE) else kind


def _model_cuts(source: Source, family: Family, config: Section, *, sees: bool) -> Iterable[Cut]:
    tied = family.tied or config.flag("tie_word_embeddings")
    for entry in source.checkpoint.entries.values():
        name: str | None = _text_name(entry.name) if sees else entry.name
        name = None if name is None else family.rename(name)
        if name is None or _UNUSED.fullmatch(name) or (tied and name == "lm_head.weight"):
            continue
        yield from family.cut(whole(entry.name, name, entry.shape), config)


def _text_name(name: str) -> str | None:
    """Return the name that a tensor of a model that sees has in its text part alone."""
    name = vision.without_prefix(name)
    if name.startswith(("vision_tower.", "multi_modal_projector.", "model.image_newline")):
        return None
    name = name.removeprefix("language_model.")
    return name if name.startswith(("model.", "lm_head.")) else f"model.{name}"


def _named(tensors: Iterable[Joined], family: Family, config: Section) -> dict[str, Joined]:
    """Give tensors the names that llama.cpp looks for.

    Raises:
        ConvertError: The architecture has no such tensor, or a layer has none.
    """
    blocks = block_count(config)
    names = get_tensor_name_map(family.arch, blocks)
    named: dict[str, Joined] = {}
    for tensor in tensors:
        name = names.get_name(tensor.name, _SUFFIXES)
        if name is None:
            raise ConvertError(
                f"tensor {tensor.cuts[0].source} is unknown in {family.architectures[0]}"
            )
        if named.setdefault(name, tensor) is not tensor:
            raise ConvertError(f"two tensors are both {name}")
    there = {int(found[1]) for name in named if (found := _BLOCK.match(name))}
    missing = sorted(set(range(blocks)) - there)
    if missing:
        raise ConvertError(f"the tensors of layer {missing[0]} are missing; is a file missing?")
    return named


def _rows(named: Mapping[str, Joined], config: Section) -> int:
    """Return how many tokens have an embedding."""
    embeddings = named.get("token_embd.weight")
    if embeddings is None or len(embeddings.shape) != 2:
        raise ConvertError("the embeddings of the tokens are missing")
    width = config.integer("hidden_size", "n_embd")
    if embeddings.shape[1] != width:
        raise ConvertError(f"{config.name} says hidden_size {width}, the embeddings differ")
    return embeddings.shape[0]


# The eyes


def plan_projector(source: Source, requested: str) -> Plan | None:
    """Plan the GGUF file of a model's tower and projector; None: it does not see.

    Raises:
        ConvertError: It cannot be converted.
    """
    projector = projector_of(source.config)
    if projector is None:
        return None
    tower = source.config.section("vision_config")
    if tower is None:
        raise ConvertError("config.json has no vision_config")
    tower = tower.with_defaults(projector.defaults)
    kind = "F32" if requested == "F32" else "F16"
    draft = _draft(MODEL_ARCH_NAMES[vision.ARCH], GGUFType.MMPROJ, kind, source.files)
    projector.describe(source.config, tower, draft)
    size = sum(
        add_tensor(
            draft.gguf, name, one.shape, one.cuts, source.checkpoint, _type(name, one, kind),
            projector.plus(one.cuts[0].name),
        )
        for name, one in _seen(source, projector, block_count(tower)).items()
    )  # fmt: skip
    return Plan(draft.gguf, size, tuple(draft.notices))


def _seen(source: Source, projector: Projector, blocks: int) -> dict[str, Joined]:
    names = get_tensor_name_map(vision.ARCH, blocks)
    cuts = []
    for entry in source.checkpoint.entries.values():
        name = projector.rename(entry.name)
        if name is not None:
            cuts.append(whole(entry.name, name, entry.shape))
    named: dict[str, Joined] = {}
    for tensor in joined(cuts):
        # Names that begin so are GGUF's own already.
        own = tensor.name if tensor.name.startswith("mm.") else None
        name = own or names.get_name(tensor.name, _SUFFIXES)
        if name is None or named.setdefault(name, tensor) is not tensor:
            raise ConvertError(f"tensor {tensor.cuts[0].source} is unknown or there twice")
    if not named:
        raise ConvertError("the tensors of vision_config are missing")
    return named
