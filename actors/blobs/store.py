"""Content-addressed files: `<root>/blobs/sha256-<hex>`, in the layout that Ollama uses.

Several processes, ours and others, may use one store: a blob appears by a rename, complete and
verified, and is never changed after. All of it blocks: call it from a thread.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final

import attrs

from actorllm.actors.blobs.files import (
    create_temp,
    fsync_folder,
    no_space_refused,
    remove_dead_temps,
)
from actorllm.actors.blobs.links import LinkNotes, stamp_of
from actorllm.actors.blobs.pins import StoreLock
from actorllm.actors.blobs.writer import BlobWriter, Stored, digest_mismatch
from actorllm.protocol.errors import Refused
from actorllm.protocol.names import TEMP_SUFFIX, blob_file, is_temp_file, parse_digest

__all__ = ["OWN_FOLDER", "BlobEntry", "BlobStore"]

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
        self._prefix = f"{self.folder}{os.sep}"
        self.read_only = read_only
        self._links = LinkNotes(self.own_folder / "linked")
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
        return self.stat(digest) is not None

    def size(self, digest: str) -> int | None:
        """Return the bytes of a blob, None if it is not there."""
        found = self.stat(digest)
        return None if found is None else found.st_size

    def stat(self, digest: str) -> os.stat_result | None:
        """Return what is known of a blob's file, None if there is none.

        A link that was written to is none.
        """
        name = _file_name(digest)
        try:
            found = os.stat(self._prefix + name)  # noqa: PTH116 -- a list asks for each model's
        except (FileNotFoundError, NotADirectoryError):
            return None
        is_blob = stat.S_ISREG(found.st_mode) and not self._links.is_changed(name, found)
        return found if is_blob else None

    def open_writer(self, expected: str | None = None) -> BlobWriter:
        """Begin a blob.

        Args:
            expected: Its digest if that is known; another content is refused at the commit.

        Raises:
            Refused: `expected` is no digest: 400.
        """
        digest = None if expected is None else parse_digest(expected)
        return BlobWriter(self.folder, digest, self.size)

    def put(self, data: bytes) -> Stored:
        """Store bytes."""
        with self.open_writer() as writer:
            writer.write(data)
            return writer.commit()

    def import_file(self, source: Path, expected: str | None = None) -> Stored:
        """Store a copy of a file.

        Args:
            source: The file; it stays.
            expected: Its digest if that is known.

        Raises:
            Refused: Another digest than expected: 400; the disk is full: 507.
        """
        file, temp = create_temp(self.folder)
        with file:
            try:
                with no_space_refused():
                    shutil.copyfile(source, temp)
                return self.adopt(temp, expected)
            finally:
                temp.unlink(missing_ok=True)

    def adopt_named(self, name: str, expected: str) -> Stored:
        """Make a blob of a file that somebody has put into the folder of blobs.

        Raises:
            Refused: There is no such file, or it cannot be read: 404; for the others see `adopt`.
        """
        file = self.folder / name
        try:
            if is_temp_file(name) and stat.S_ISREG(file.lstat().st_mode):
                return self.adopt(file, expected)
        except OSError as e:
            raise Refused.because(404, f"the file cannot be taken: {e.strerror}") from e
        except ValueError:  # a zero byte
            pass
        raise Refused.because(404, "there is no such file in the folder of the blobs")

    def adopt(self, file: Path, expected: str | None = None) -> Stored:
        """Verify a file that lies in the folder of blobs under another name, and make it a blob.

        Raises:
            Refused: Another digest than expected: 400; it was written to meanwhile: 409; the disk is
                full: 507. The file is left alone.
        """
        before = file.stat()
        digest = _verified(file, expected)
        path = self.path(digest)
        if self.size(digest) == before.st_size:
            file.unlink()
            return Stored(digest, before.st_size, path)
        with file.open("rb") as opened, no_space_refused():
            os.fsync(opened.fileno())
            found = os.fstat(opened.fileno())
        if stamp_of(found) != stamp_of(before):
            raise Refused.because(409, "the file was written to while it was read; try again")
        if found.st_nlink > 1:
            self._links.note(path.name, found)
        file.replace(path)
        fsync_folder(self.folder)
        return Stored(digest, found.st_size, path)

    def delete(self, digest: str) -> int:
        """Remove a blob, and return the bytes that it had. Only while `lock.removing` is held."""
        path = self.path(digest)
        try:
            size = path.stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return 0
        path.unlink(missing_ok=True)
        self._links.forget(path.name)
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
                    # A link has the age of its file; what matters is since when it is here.
                    since = facts.st_mtime if facts.st_nlink == 1 else facts.st_ctime
                    yield BlobEntry(Path(entry.path), digest, facts.st_size, since)

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


_file_name = lru_cache(maxsize=4096)(blob_file)
"""Lists ask for the same again and again."""


def _hash_file(path: Path) -> str:
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
    digest = _hash_file(file)
    if expected is not None and parse_digest(expected) != digest:
        raise digest_mismatch(parse_digest(expected), digest)
    return digest
