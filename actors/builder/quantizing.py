"""Quantizing weights in a child process. It blocks for moments: call it from a thread."""

import shutil
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
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
    store: BlobStore,
    paths: Sequence[Path],
    file: GgufFile,
    wanted: str,
    matrix: Path | None = None,
) -> Generator[CreateStatus, None, Stored]:
    """Convert the weights of a blob and store the result.

    Leave the generator, and the process ends and nothing is kept.

    Args:
        store: Gets the new blob.
        paths: The files of the old one, in order: more than one if the weights are split.
        file: The weights; with the size of all files.
        wanted: Type to convert to, one of `QUANTIZATIONS`.
        matrix: An importance matrix.

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
    given = [] if matrix is None else [str(matrix)]
    held, target = create_temp(store.folder)
    try:
        with (
            _findable(paths) as source,
            running("quantizing", _MODULE, [str(source), str(target), wanted, *given]) as child,
        ):
            yield CreateStatus(status, NO_DIGEST, total, 0)
            for size in child.sizes([target]):
                yield CreateStatus(status, NO_DIGEST, total, min(size, total))
            child.check([store.folder, source.parent, paths[0].parent])
        yield CreateStatus(status, NO_DIGEST, total, total)
        return store.adopt(target)
    finally:
        target.unlink(missing_ok=True)
        held.close()


@contextmanager
def _findable(paths: Sequence[Path]) -> Iterator[Path]:
    """Return the first of several files under a name by which llama.cpp finds the others."""
    if len(paths) == 1:
        yield paths[0]
        return
    with TemporaryDirectory(prefix="actorllm-") as folder:
        names = [
            Path(folder) / f"weights-{number:05d}-of-{len(paths):05d}.gguf"
            for number in range(1, len(paths) + 1)
        ]
        for name, path in zip(names, paths, strict=True):
            name.symlink_to(path.resolve())
        yield names[0]
