"""What a creation must know of a GGUF file."""

from typing import Literal

import attrs

from actorllm.actors.library.details import human_number
from actorllm.actors.library.ggml_types import file_type_name
from actorllm.actors.library.gguf import Gguf

__all__ = ["GgufFacts", "GgufFile", "gguf_facts"]

Role = Literal["weights", "projector", "adapter", "matrix"]
"""A matrix says how much the columns of each tensor matter when weights are quantized."""


@attrs.frozen
class GgufFacts:
    """What its header says."""

    architecture: str
    role: Role = "weights"
    parameter_size: str = ""
    """For people, like `8.0B`."""
    file_type: int | None = None
    """Number of its quantization level; None: it does not say."""
    quantization: str = ""
    """Name of that level, like `Q4_K_M`."""
    parts: int = 1
    """Files that the weights are split into."""
    part: int = 0
    """Which of them this is."""
    parameter_count: int = 0


@attrs.frozen
class GgufFile:
    """A blob that holds a GGUF file."""

    digest: str
    size: int
    """Bytes."""
    facts: GgufFacts


def gguf_facts(gguf: Gguf) -> GgufFacts:
    """Take the facts from a header."""
    return GgufFacts(
        architecture=gguf.architecture,
        role=_role(gguf),
        parameter_size=human_number(gguf.parameter_count),
        file_type=gguf.file_type,
        quantization=file_type_name(gguf.file_type),
        parts=gguf.split_count,
        part=gguf.split_number,
        parameter_count=gguf.parameter_count,
    )


def _role(gguf: Gguf) -> Role:
    arch, kind = gguf.architecture, gguf.text("general.type")
    if kind == "adapter":
        return "adapter"
    if kind == "imatrix":
        return "matrix"
    vision_alone = (
        f"{arch}.vision.block_count" in gguf.metadata and f"{arch}.block_count" not in gguf.metadata
    )
    if kind in {"projector", "mmproj"} or arch == "clip" or vision_alone:
        return "projector"
    return "weights"
