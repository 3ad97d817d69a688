"""Quantizing weights in a child process. It blocks for moments: call it from a thread."""

import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Final

from actorllm.actors.blobs.files import create_temp
from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.blobs.writer import Stored
from actorllm.actors.builder.child import running
from actorllm.actors.builder.facts import GgufFile
from actorllm.actors.builder.quantizations import QUANTIZATIONS
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.building import CreateStatus

__all__ = ["NO_DIGEST", "quantize"]

_MODULE: Final = "actorllm.actors.builder.quantize"

NO_DIGEST: Final = "0" * 19
"""In place of a digest that is not known yet, as clients expect it."""

_UNKNOWN: Final = QUANTIZATIONS["F16"]


def quantize(
    store: BlobStore, source: Path, file: GgufFile, wanted: str
) -> Generator[CreateStatus, None, Stored]:
    """Convert the weights of a blob and store the result.

    Leave the generator, and the process ends and nothing is kept.

    Args:
        store: Gets the new blob.
        source: The file of the old one.
        file: The weights.
        wanted: Type to convert to, one of `QUANTIZATIONS`.

    Yields:
        How far it is.

    Returns:
        The new blob.

    Raises:
        Refused: The conversion failed: 400 or 500; the disk is full: 507.
    """
    status = f"quantizing {file.facts.quantization} model to {wanted}"
    have = QUANTIZATIONS.get(file.facts.quantization, _UNKNOWN)
    total = max(1, int(file.size / have.bits * QUANTIZATIONS[wanted].bits))
    if shutil.disk_usage(store.folder).free < total:
        raise Refused.because(507, "no space left in the model store; remove a model and try again")
    held, target = create_temp(store.folder)
    try:
        arguments = [str(source), str(target), wanted]
        with running("quantizing", _MODULE, arguments) as child:
            yield CreateStatus(status, NO_DIGEST, total, 0)
            for size in child.sizes([target]):
                yield CreateStatus(status, NO_DIGEST, total, min(size, total))
            child.check([store.folder, source.parent])
        yield CreateStatus(status, NO_DIGEST, total, total)
        return store.adopt(target)
    finally:
        target.unlink(missing_ok=True)
        held.close()
