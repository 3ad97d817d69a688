"""The tensors of a checkpoint's folder: one file, or shards that an index ties together."""

from collections.abc import Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import attrs
import numpy as np

from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.jsonfile import read_json
from actorllm.actors.builder.convert.safetensors import Entry, read_header

__all__ = ["Checkpoint", "open_checkpoint"]

Array = np.ndarray[Any, np.dtype[Any]]

_RAW: Final = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
"""Types of numpy; it has none for BF16."""


@attrs.frozen
class Checkpoint:
    """Open files, whose tensors are looked at where they lie."""

    entries: Mapping[str, Entry]
    _maps: Mapping[str, mmap]
    """The file that each tensor is in."""

    def array(self, name: str) -> Array:
        """Return a view of a tensor; BF16 comes as its bits, in 16-bit integers.

        Raises:
            ConvertError: Its type is none of floating-point numbers of at least 16 bits.
        """
        entry = self.entries[name]
        raw = _RAW.get(entry.dtype)
        if raw is None:
            raise ConvertError(
                f"tensor {name} is {entry.dtype}; only F32, F16 and BF16 are converted: "
                "take the original checkpoint, not a quantized one"
            )
        count = entry.size // np.dtype(raw).itemsize
        flat = np.frombuffer(self._maps[name], dtype=raw, count=count, offset=entry.offset)
        return flat.reshape(entry.shape)


def open_checkpoint(folder: Path) -> Checkpoint:
    """Open the safetensors files that lie in a folder, not below it.

    Raises:
        ConvertError: There are none, one is damaged, or they do not fit together.
    """
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise ConvertError("no safetensors files were given")
    entries: dict[str, Entry] = {}
    places: dict[str, str] = {}
    maps: dict[str, mmap] = {}
    for path in paths:
        mapped = None
        for entry in read_header(path):
            if entry.name in entries:
                raise ConvertError(f"tensor {entry.name} is in two files: remove one of them")
            mapped = mapped or _map(path)
            entries[entry.name], places[entry.name] = entry, path.name
            maps[entry.name] = mapped
    _check_index(folder, places)
    return Checkpoint(MappingProxyType(entries), MappingProxyType(maps))


def _map(path: Path) -> mmap:
    # It is closed with the last view of it.
    with path.open("rb") as file:
        return mmap(file.fileno(), 0, access=ACCESS_READ)


def _check_index(folder: Path, places: Mapping[str, str]) -> None:
    """Check that every tensor of the index is where the index says."""
    for path in sorted(folder.glob("*.safetensors.index.json")):
        index = read_json(path)
        listed = index.get("weight_map") if index is not None else None
        if not isinstance(listed, dict):
            raise ConvertError(f"{path.name} has no weight_map")
        for name, file in listed.items():
            if places.get(name) != file:
                shown = file if isinstance(file, str) else "its file"
                raise ConvertError(f"tensor {name[:80]} is missing: it should be in {shown[:80]}")
