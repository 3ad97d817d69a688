"""Content-addressed files: `<root>/blobs/sha256-<hex>`, in the layout that Ollama uses.

Several processes, ours and others, may use one store: a blob appears by a rename, complete and
verified, and is never changed after. All of it blocks: call it from a thread.
"""

import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Final

import attrs

from actorllm.actors.blobs.files import (
    TEMP_SUFFIX,
    create_temp,
    fsync_folder,
    no_space_refused,
    remove_dead_temps,
)
from actorllm.actors.blobs.pins import StoreLock
from actorllm.actors.blobs.writer import BlobWriter, Stored, digest_mismatch
from actorllm.protocol.errors import Refused
from actorllm.protocol.names import blob_file, parse_digest

__all__ = ["BlobEntry", "BlobStore", "hash_file"]

_FICLONE: Final = 0x40049409
"""ioctl of Linux: share the blocks of another file, copy on write."""

OWN_FOLDER: Final = ".actorllm"
"""Folder in the root for what is ours alone: lock, pins, caches."""


@attrs.frozen
class BlobEntry:
    """A file in the folder of blobs."""

    path: Path
    digest: str | None
    """None: the file's name is not that of a blob."""
    size: int
    """Bytes."""
    modified: float
    """Unix seconds."""


class BlobStore:
    """The blobs below a root.

    Args:
        root: Folder of a model store; what is missing in it is made.
        read_only: Make and change nothing; the writing methods must not be called then.
    """

    def __init__(self, root: Path, *, read_only: bool = False) -> None:
        self.root = root
        self.folder = root / "blobs"
        self.read_only = read_only
        if not read_only:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.lock = StoreLock(self.own_folder)

    @property
    def own_folder(self) -> Path:
        return self.root / OWN_FOLDER

    def path(self, digest: str) -> Path:
        """Return where a blob is, or would be.

        Raises:
            Refused: The text is no digest: 400.
        """
        return self.folder / blob_file(digest)

    def has(self, digest: str) -> bool:
        return self.size(digest) is not None

    def size(self, digest: str) -> int | None:
        """Return the bytes of a blob, None if it is not there."""
        try:
            found = self.path(digest).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def open_writer(self, expected: str | None = None) -> BlobWriter:
        """Begin a blob.

        Args:
            expected: Its digest if that is known; another content is refused at the commit.

        Raises:
            Refused: `expected` is no digest: 400.
        """
        return BlobWriter(self.folder, None if expected is None else parse_digest(expected))

    def put(self, data: bytes) -> Stored:
        """Store bytes."""
        with self.open_writer() as writer:
            writer.write(data)
            return writer.commit()

    def import_file(
        self, source: Path, expected: str | None = None, *, immutable: bool = False
    ) -> Stored:
        """Store the content of a file: its blocks are shared if the file system can, else copied.

        Args:
            source: The file; it stays.
            expected: Its digest if that is known.
            immutable: Nobody ever writes to the file again, so a hard link will do.

        Raises:
            Refused: Another digest than expected: 400; the disk is full: 507.
        """
        if immutable:
            with suppress(OSError):
                return self._link(source, expected)
        file, temp = create_temp(self.folder)
        with file:
            try:
                if not _clone(source, file):
                    with no_space_refused():
                        shutil.copyfile(source, temp)
                return self.adopt(temp, expected)
            finally:
                temp.unlink(missing_ok=True)

    def _link(self, source: Path, expected: str | None) -> Stored:
        digest = _verified(source, expected)
        path = self.path(digest)
        with suppress(FileExistsError):
            os.link(source.resolve(), path)
            fsync_folder(self.folder)
        return Stored(digest, path.stat().st_size, path)

    def adopt(self, file: Path, expected: str | None = None) -> Stored:
        """Verify a file that lies in the folder of blobs under another name, and make it a blob.

        Raises:
            Refused: Another digest than expected: 400; the file is left alone.
        """
        digest = _verified(file, expected)
        path = self.path(digest)
        size = file.stat().st_size
        if self.size(digest) == size:
            file.unlink()
        else:
            with file.open("rb") as opened, no_space_refused():
                os.fsync(opened.fileno())
            file.replace(path)
            fsync_folder(self.folder)
        return Stored(digest, size, path)

    def delete(self, digest: str) -> int:
        """Remove a blob, and return the bytes that it had. Only while `lock.removing` is held."""
        size = self.size(digest)
        if size is None:
            return 0
        self.path(digest).unlink(missing_ok=True)
        return size

    def entries(self) -> Iterator[BlobEntry]:
        """Go through all files in the folder, blobs or not."""
        try:
            found = list(os.scandir(self.folder))
        except FileNotFoundError:
            return
        for entry in found:
            with suppress(FileNotFoundError):
                facts = entry.stat(follow_symlinks=False)
                if not stat.S_ISDIR(facts.st_mode):
                    digest = _digest_of_name(entry.name)
                    yield BlobEntry(Path(entry.path), digest, facts.st_size, facts.st_mtime)

    def digests(self) -> frozenset[str]:
        return frozenset(entry.digest for entry in self.entries() if entry.digest is not None)

    def tidy(self) -> None:
        """Do what a start does: give old blobs their names, remove what dead processes left.

        Blobs were named `sha256:<hex>` once.
        """
        for path in self.folder.glob("sha256:*"):
            with suppress(Refused, FileNotFoundError):
                path.rename(self.path(path.name))
        remove_dead_temps(self.folder)
        self.lock.remove_dead_pins()


def hash_file(path: Path) -> str:
    """Return the digest of a file's content."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _digest_of_name(name: str) -> str | None:
    if name.endswith(TEMP_SUFFIX) or not name.startswith("sha256-"):
        return None
    try:
        digest = parse_digest(name)
    except Refused:
        return None
    return digest if blob_file(digest) == name else None


def _verified(file: Path, expected: str | None) -> str:
    digest = hash_file(file)
    if expected is not None and parse_digest(expected) != digest:
        raise digest_mismatch(parse_digest(expected), digest)
    return digest


def _clone(source: Path, target: FileIO) -> bool:
    with source.open("rb") as old:
        try:
            fcntl.ioctl(target.fileno(), _FICLONE, old.fileno())
        except OSError:
            return False
    return True
