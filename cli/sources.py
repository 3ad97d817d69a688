"""The files that a Modelfile names, and their way to the server."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from actorllm.cli.errors import Failure
from actorllm.cli.progress import Report
from actorllm.cli.sharing import shared
from actorllm.cli.text import one_line

if TYPE_CHECKING:
    from actorllm.cli.client import Client

__all__ = ["find_source", "source_files", "upload"]

MAX_FILES = 10_000
"""Most files that are taken from one folder."""

_CHUNK = 1024 * 1024
_GGUF = b"GGUF"
_POINTER = b"version https://git-lfs"
_PART = re.compile(r"(.+)-[0-9]{5}-of-([0-9]{5})\.gguf")
# The first pattern that finds a file says what kind of model a folder holds.
_WEIGHTS = (
    ("model*.safetensors", "*/model*.safetensors"),
    ("consolidated*.safetensors",),
    ("adapter_model.safetensors",),
    ("pytorch_model*.bin",),
    ("consolidated*.pth",),
    ("*.gguf",),
    ("*.bin",),
)
_COMPANIONS = (
    "*.json", "*/*.json", "chat_template.jinja", "tokenizer.model", "*/tokenizer.model", "vocab.txt",
)  # fmt: skip


def find_source(text: str, folder: Path) -> Path | None:
    """Return the file or folder that FROM, ADAPTER or DRAFT means; None: it is a model's name.

    Args:
        text: As written; `~` is the home folder, a relative path is relative to the Modelfile.
        folder: The Modelfile's.
    """
    try:
        path = folder / Path(text).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError, ValueError):  # too long, no such home, a zero byte
        return None


def source_files(path: Path) -> dict[str, Path]:
    """Return the files of a model by the names under which the server gets them.

    Raises:
        Failure: A folder holds no model, too many files, or links that lead out of it; a part of
            split weights is missing; a file is of no kind that a model can be made of.
        OSError: A file cannot be read.
    """
    if not path.is_dir():
        return _checked(_parts(path))
    weights = next(filter(None, (_glob(path, patterns) for patterns in _WEIGHTS)), None)
    if weights is None:
        raise Failure("no Modelfile or safetensors files found")
    files = _checked(weights) | _glob(path, _COMPANIONS)
    if len(files) > MAX_FILES:
        raise Failure(f"the folder holds more than {MAX_FILES} files of a model")
    return files


def _checked(weights: dict[str, Path]) -> dict[str, Path]:
    """Return files of weights if they are of a known kind, which is seen before they are sent."""
    for name, path in weights.items():
        with path.open("rb") as file:
            head = file.read(len(_POINTER))
        if head == _POINTER:
            raise Failure(
                f"{one_line(name)} is a pointer of Git LFS, not the weights: run git lfs pull first"
            )
        if not (head.startswith(_GGUF) or name.endswith(".safetensors")):
            raise Failure(
                f"{one_line(name)} is neither a GGUF file nor safetensors: give a .gguf file, a "
                "folder of safetensors, or the name of a model"
            )
    return weights


def _parts(path: Path) -> dict[str, Path]:
    """Return a file, with all others if it is a part of split weights."""
    part = _PART.fullmatch(path.name)
    if part is None:
        return {path.name: path}
    stem, count = part[1], int(part[2])
    if not 0 < count <= MAX_FILES:
        raise Failure(f"{one_line(path.name)} says that it is one of {count} files")
    names = [f"{stem}-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]
    missing = [name for name in names if not path.with_name(name).is_file()]
    if missing:
        raise Failure(f"{len(missing)} of {count} parts are missing: {one_line(missing[0])} ...")
    return {name: path.with_name(name) for name in names}


def _glob(folder: Path, patterns: tuple[str, ...]) -> dict[str, Path]:
    root = folder.resolve()
    found: dict[str, Path] = {}
    for pattern in patterns:
        for file in sorted(folder.glob(pattern)):
            name = file.relative_to(folder).as_posix()
            if not file.resolve().is_relative_to(root):
                raise Failure(f"insecure path: {one_line(name)}")
            if file.is_file():
                found[name] = file
    return found


def upload(client: "Client", path: Path, report: Report, store: Path | None = None) -> str:
    """Give a file to the server unless it has it; return the file's digest.

    Args:
        client: Of the server.
        path: The file.
        report: Gets the progress.
        store: The server's folder of models, if it may share the disk space of the file.

    Raises:
        Failure: The file cannot be read, or the server refuses it.
    """
    name = one_line(path.name, 60)
    try:
        size = path.stat().st_size
        digest = hashlib.sha256()
        for chunk in _chunks(path, f"hashing {name}", size, report):
            digest.update(chunk)
        spelled = f"sha256:{digest.hexdigest()}"
        if client.has_blob(spelled):
            return spelled
        if store is None or not _share(client, path, spelled, store, report):
            chunks = _chunks(path, f"copying file {spelled}", size, report)
            client.upload_blob(spelled, chunks, size)
    except OSError as e:
        raise Failure(f"cannot read {one_line(str(path))}: {e.strerror}") from e
    return spelled


def _share(client: "Client", path: Path, digest: str, store: Path, report: Report) -> bool:
    """Give a file to a server on this machine in place, without a copy; False: it takes none."""
    with shared(path, store / "blobs") as name:
        if name is None:
            return False
        report.step(f"sharing file {digest}")
        return client.adopt_blob(digest, name)


def _chunks(path: Path, status: str, size: int, report: Report) -> Iterator[bytes]:
    """Read `size` bytes; a file that grows meanwhile is cut, one that shrinks is noticed."""
    left = size
    with path.open("rb") as file:
        while left and (chunk := file.read(min(_CHUNK, left))):
            left -= len(chunk)
            report.step(status, size, size - left)
            yield chunk
    if left:
        raise Failure(f"{one_line(path.name)} became shorter while it was read; try again")
