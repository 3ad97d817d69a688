"""Converting a folder of safetensors in a child process. It blocks for moments: call it from a thread."""

import shutil
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from actorllm.actors.blobs.files import create_temp
from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.blobs.writer import Stored
from actorllm.actors.builder.child import running
from actorllm.actors.builder.convert.job import Job, Said, job_text, said_from
from actorllm.actors.builder.quantizing import NO_DIGEST
from actorllm.actors.library.gguf import Gguf
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.building import CreateStatus

__all__ = ["convert", "holds_checkpoint"]

_MODULE: Final = "actorllm.actors.builder.convert"
_SUFFIX: Final = ".safetensors"


def holds_checkpoint(paths: Mapping[str, str]) -> bool:
    """Tell whether files are to be converted, by their names."""
    return any(path.endswith(_SUFFIX) for path in paths)


def convert(
    store: BlobStore, files: Mapping[str, Path], kind: str, base: Gguf | None = None
) -> Generator[CreateStatus, None, list[Stored]]:
    """Convert a checkpoint, or an adapter, and store the result.

    Leave the generator, and the process ends and nothing is kept.

    Args:
        store: Gets the new blobs.
        files: Relative path to the file with that content.
        kind: `F32`, `F16` or `BF16`; empty: the checkpoint's own.
        base: Of an adapter: the model that it is for.

    Yields:
        How far it is, and what the user must know.

    Returns:
        The model, and its projector if it sees; or the adapter.

    Raises:
        Refused: The conversion failed: 400 or 500; the disk is full: 507.
    """
    status = "converting model" if base is None else "converting adapter"
    total = sum(path.stat().st_size for name, path in files.items() if name.endswith(_SUFFIX))
    if shutil.disk_usage(store.folder).free < total:
        raise Refused.because(507, "no space left in the model store; remove a model and try again")
    yield CreateStatus(status, NO_DIGEST, total, 0)
    with ExitStack() as stack:
        folder = stack.enter_context(_laid_out(files))
        model, projector = (stack.enter_context(_temporary(store)) for _ in range(2))
        targets = [model, projector]
        facts = None if base is None else _facts(base)
        job = Job(str(folder), str(model), str(projector), kind, facts)
        child = stack.enter_context(running("converting", _MODULE, [job_text(job)]))
        for size in child.sizes(targets):
            total = said_from(child.said()).total or total
            yield CreateStatus(status, NO_DIGEST, total, min(size, total))
        child.check([folder, store.folder])
        said: Said = said_from(child.said())
        yield CreateStatus(status, NO_DIGEST, said.total, said.total)
        yield from (CreateStatus(f"notice: {text}") for text in said.notices)
        return [store.adopt(target) for target in targets if target.stat().st_size]


@contextmanager
def _laid_out(files: Mapping[str, Path]) -> Iterator[Path]:
    """Make a folder in which files have their own names.

    Raises:
        Refused: A name cannot be a file's, or two exclude each other: 400.
    """
    with TemporaryDirectory(prefix="actorllm-") as made:
        folder = Path(made)
        for name, path in files.items():
            try:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).symlink_to(path.resolve())
            except (OSError, ValueError) as e:
                raise Refused.because(400, f"no file can be called {name[:80]!r} here") from e
        yield folder


@contextmanager
def _temporary(store: BlobStore) -> Iterator[Path]:
    held, path = create_temp(store.folder)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        held.close()


def _facts(base: Gguf) -> dict[str, str | int]:
    """Return what an adapter's conversion must know of its base.

    Raises:
        Refused: The base does not say it: 400.
    """
    arch = base.architecture
    heads = base.integer(f"{arch}.attention.head_count")
    blocks = base.integer(f"{arch}.block_count")
    if heads is None or blocks is None:
        raise Refused.because(400, "the base model does not say how many heads and layers it has")
    kv_heads = base.integer(f"{arch}.attention.head_count_kv") or heads
    return {"architecture": arch, "blocks": blocks, "heads": heads, "kv_heads": kv_heads}
