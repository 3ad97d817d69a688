"""What is worth remembering of a GGUF file: enough to list, choose and place a model.

Reading a header takes 1 to 50 ms, a list has hundreds of models: facts are kept in memory and in
one small JSON file, by the weights' digest, and hold while the file's size and time are the same.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import attrs
from cattrs import Converter

from actorllm.actors.blobs.files import write_atomically
from actorllm.actors.library.fim import fills_in
from actorllm.actors.library.gguf import Gguf, read_gguf
from actorllm.actors.library.memory import memory_shape
from actorllm.protocol.codec import evolve
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.models import MemoryShape

__all__ = ["CHAT_TEMPLATE", "FactsCache", "WeightsFacts", "joined", "weights_facts"]

CHAT_TEMPLATE: Final = "tokenizer.chat_template"

_VERSION: Final = 3
"""Of the cache file. Raise it when facts change their meaning."""
_MAX_ENTRIES: Final = 2_000
_MAX_CACHE: Final = 64 * 1024 * 1024


@attrs.frozen
class WeightsFacts:
    """What a header says, in short."""

    architecture: str
    parameter_count: int
    file_type: int | None
    context_length: int
    embedding_length: int
    pooling: int | None
    """Type of pooling; None: no embedding model."""
    vision: bool
    audio: bool
    audio_encoder: bool
    """Of a projector."""
    chat_template: str
    """The Jinja template; empty: there is none."""
    fills_in: bool
    """Whether the vocabulary has tokens to fill in the middle of a text."""
    memory: MemoryShape
    splits: int = 1
    """Files that the weights are spread over."""
    split: int = 0
    """Which of them this is."""


def weights_facts(gguf: Gguf) -> WeightsFacts:
    """Take the facts from a header."""
    arch = gguf.architecture
    return WeightsFacts(
        architecture=arch,
        parameter_count=gguf.parameter_count,
        file_type=gguf.file_type,
        context_length=gguf.integer(f"{arch}.context_length") or 0,
        embedding_length=gguf.integer(f"{arch}.embedding_length") or 0,
        pooling=gguf.integer(f"{arch}.pooling_type"),
        vision=f"{arch}.vision.block_count" in gguf.metadata,
        audio=f"{arch}.audio.block_count" in gguf.metadata,
        audio_encoder=gguf.metadata.get("clip.has_audio_encoder") is True,
        chat_template=gguf.text(CHAT_TEMPLATE) or "",
        fills_in=fills_in(gguf),
        memory=memory_shape(gguf),
        splits=gguf.split_count,
        split=gguf.split_number,
    )


def joined(files: Sequence[WeightsFacts]) -> WeightsFacts:
    """Return the facts of weights that are split; the first file describes the model."""
    weights = sum(facts.memory.weights for facts in files)
    return attrs.evolve(
        files[0],
        parameter_count=sum(facts.parameter_count for facts in files),
        memory=evolve(files[0].memory, weights=weights),
    )


@attrs.frozen
class _Remembered:
    size: int
    modified: int
    facts: WeightsFacts


class FactsCache:
    """Facts by digest.

    Args:
        file: Where they outlive the process; None: nowhere.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._known: dict[str, _Remembered] = _load(file) if file is not None else {}
        self._changed = False

    def get(self, digest: str, path: Path) -> WeightsFacts:
        """Return the facts of the weights in a file.

        Raises:
            GgufError: It is no good GGUF file.
            OSError: The file cannot be read.
        """
        stat = path.stat()
        known = self._known.get(digest)
        if known is not None and (known.size, known.modified) == (stat.st_size, stat.st_mtime_ns):
            return known.facts
        facts = weights_facts(read_gguf(path))
        self._known[digest] = _Remembered(stat.st_size, stat.st_mtime_ns, facts)
        self._changed = True
        return facts

    def save(self) -> None:
        """Write the file if there is anything new; a cache that cannot be written does no harm."""
        if self._file is None or not self._changed:
            return
        self._changed = False
        newest = dict(list(self._known.items())[-_MAX_ENTRIES:])
        content = {"version": _VERSION, "facts": _converter.unstructure(newest)}
        with suppress(OSError, Refused):
            write_atomically(self._file, json.dumps(content).encode())


_converter = Converter(forbid_extra_keys=True, detailed_validation=False)


def _load(file: Path) -> dict[str, _Remembered]:
    """Read the cache; whatever is wrong with it, it is empty then."""
    try:
        if file.stat().st_size > _MAX_CACHE:
            return {}
        content: Any = json.loads(file.read_bytes())
        if content["version"] != _VERSION:
            return {}
        return _converter.structure(content["facts"], dict[str, _Remembered])
    except Exception:  # noqa: BLE001 -- anything may be in the file, and none of it matters
        return {}
