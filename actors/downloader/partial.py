"""The unfinished file of a blob and the state beside it. All of it blocks: call it from a thread.

They lie in a folder of their own among the blobs, where nobody looks for blobs and no collection of
garbage looks for leftovers. What is written is in the system's hands at once, so it outlives the
process. What a crash of the machine tears is noticed by the digest, and found by the checksums.
"""

import errno
import fcntl
import hashlib
import os
import threading
import time
import zlib
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Final, Self

import attrs

from actorllm.actors.blobs.files import fsync_folder, no_space_refused, try_lock
from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.downloader.parts import MAX_PARTS, Part, dump_state, load_state, plan, prefix
from actorllm.protocol.errors import Refused
from actorllm.protocol.names import blob_file

__all__ = [
    "MAX_STATE",
    "Partial",
    "allocated",
    "partial_folder",
    "remove_old_partials",
    "state_file",
]

_FOLDER: Final = ".partial"
_STATE: Final = ".json"
MAX_STATE: Final = MAX_PARTS * 64
"""Bytes that are read of a state."""

_CHUNK: Final = 1024 * 1024
_HASHED_AT_ONCE: Final = 32
"""Chunks: a tenth of a second or less."""
_WRITE: Final = 16 * 1024
"""Bytes of one system call. Linux gives larger writes larger pieces of memory, and a virtual machine
whose free memory goes back to its host has to get these from there again each time: 256 MiB cost
0.5 s of the processor so, and 0.1 s in small pieces."""
_FULL: Final = (
    "no space left in the model store; what has come is kept: make room and pull the model again"
)


class Partial:
    """A blob on its way, locked against other processes.

    Args:
        store: Where it will lie.
        digest: Of the blob.
        size: Bytes of the blob.
        streams: Connections that it is cut for if it is new.
        model: The model that it is fetched for.

    Raises:
        Refused: Another process fetches it: 409; the disk is full: 507.
    """

    def __init__(
        self, store: BlobStore, digest: str, size: int, streams: int, model: str = ""
    ) -> None:
        self._model = model
        self._blob = store.path(digest)
        self._size = size
        self._path = partial_folder(store) / blob_file(digest)
        self._state = state_file(self._path)
        self._path.parent.mkdir(exist_ok=True)
        self._file = _lock(self._path)
        self._saved = b""
        self._hash = hashlib.sha256()
        self._hashing = threading.Lock()
        self._buffer = memoryview(bytearray(_CHUNK))
        self.hashed = 0
        """Bytes from the beginning on that the digest includes already."""
        self.parts: list[Part] = []
        try:
            self._resume(streams)
        except BaseException:
            self._file.close()
            raise

    def _resume(self, streams: int) -> None:
        known = self._read_state() if os.fstat(self._file.fileno()).st_size == self._size else None
        self.parts = list(known or plan(self._size, streams))
        with no_space_refused():
            self._file.truncate(self._size)

    def _read_state(self) -> tuple[Part, ...] | None:
        try:
            with self._state.open("rb") as file:
                return load_state(file.read(MAX_STATE), self._size)
        except OSError:
            return None

    def check(self) -> bool:
        """Forget parts that are not what was written; True: there were such."""
        bad = [i for i, part in enumerate(self.parts) if part.done and self._crc(part) != part.crc]
        for i in bad:
            self.reset(i)
        return bool(bad)

    def _crc(self, part: Part) -> int:
        crc, at = 0, part.offset
        while at < part.next:
            data = self._read(min(_CHUNK, part.next - at), at)
            if not data:
                break
            crc = zlib.crc32(data, crc)
            at += len(data)
        return crc

    def _read(self, count: int, at: int) -> memoryview:
        """Read into the one buffer: memory that is new each time costs more than the reading."""
        view = self._buffer[:count]
        return view[: os.preadv(self._file.fileno(), [view], at)]

    def reset(self, index: int) -> None:
        """Begin a part anew."""
        part = self.parts[index]
        with self._hashing:
            self.parts[index] = Part(part.offset, part.size)
            if self.hashed > part.offset:
                self._hash, self.hashed = hashlib.sha256(), 0

    def unite(self) -> None:
        """Begin anew with a single part, for a registry that serves no ranges."""
        self.parts = [Part(0, self._size)]
        self._hash, self.hashed = hashlib.sha256(), 0

    def write(self, index: int, data: bytes | memoryview) -> None:
        """Append to a part.

        Raises:
            Refused: The disk is full: 507. What was there stays, and so does what fitted.
        """
        part = self.parts[index]
        if len(data) > part.size - part.done:
            raise ValueError("more than the part holds")
        left, at = memoryview(data), part.next
        try:
            with no_space_refused(_FULL):
                while left:
                    count = os.pwrite(self._file.fileno(), left[:_WRITE], at)
                    left, at = left[count:], at + count
        finally:
            written = at - part.next
            crc = zlib.crc32(memoryview(data)[:written], part.crc)
            self.parts[index] = attrs.evolve(part, done=part.done + written, crc=crc)

    def hash_on(self) -> None:
        """Take into the digest what is written without a gap, some chunks of it."""
        with self._hashing:
            for _ in range(_HASHED_AT_ONCE):
                left = prefix(self.parts) - self.hashed
                if not left:
                    return
                data = self._read(min(_CHUNK, left), self.hashed)
                if not data:
                    raise OSError(errno.EIO, "an unfinished file was cut off")
                self._hash.update(data)
                self.hashed += len(data)

    def digest(self) -> str:
        """Return the digest of what was hashed."""
        return f"sha256:{self._hash.hexdigest()}"

    def save(self) -> None:
        """Write the state, if it is another than before. A full disk is no reason to fail here."""
        data = dump_state(self.parts, self._model)
        if data == self._saved:
            return
        with suppress(OSError):
            self._replace_state(data)
            self._saved = data

    def _replace_state(self, data: bytes) -> None:
        temp = self._state.with_name(self._state.name + ".new")
        try:
            temp.write_bytes(data)
            temp.replace(self._state)
        except OSError as e:
            temp.unlink(missing_ok=True)
            if e.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            # The old one has its block already. A crash of the machine right now may tear it: then
            # it is no state, and the blob is fetched anew.
            with self._state.open("r+b") as file:
                file.write(data)
                file.truncate()

    def publish(self) -> None:
        """Make the file a blob. Its digest is right: `digest` said so.

        Raises:
            Refused: The disk is full: 507.
        """
        with no_space_refused():
            os.fsync(self._file.fileno())
        self._path.replace(self._blob)
        fsync_folder(self._blob.parent)
        self._state.unlink(missing_ok=True)

    def discard(self) -> None:
        """Forget everything that has come."""
        self._state.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Keep what has come, for the next time."""
        if self._file.closed:
            return
        if self._state_wanted():
            self.save()
        self._file.close()
        with suppress(OSError):
            self._path.parent.rmdir()  # if it is empty

    def _state_wanted(self) -> bool:
        return _is_at(self._file.fileno(), self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _lock(path: Path) -> FileIO:
    """Open and lock a file that has this name now: a finished one was renamed."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise Refused.because(
                409, "another process is pulling this model; try again when it has ended"
            ) from None
        if _is_at(fd, path):
            return FileIO(fd, "r+")
        os.close(fd)


def _is_at(fd: int, path: Path) -> bool:
    try:
        there = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    here = os.fstat(fd)
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def allocated(store: BlobStore, digest: str) -> int:
    """Return the bytes on the disk that the unfinished file of a blob has already."""
    try:
        return (partial_folder(store) / blob_file(digest)).stat().st_blocks * 512
    except OSError:
        return 0


def partial_folder(store: BlobStore) -> Path:
    """Return where the unfinished files of a store lie."""
    return store.folder / _FOLDER


def state_file(path: Path) -> Path:
    """Return where the state of an unfinished file is."""
    return path.with_name(path.name + _STATE)


def remove_old_partials(store: BlobStore, older_than: float) -> int:
    """Remove unfinished files that nobody has touched for long; returns how many.

    Args:
        store: Where they lie.
        older_than: Seconds since the last change.
    """
    removed = 0
    for path in partial_folder(store).glob("sha256-*"):
        with suppress(OSError):
            if path.suffix or time.time() - path.stat().st_mtime < older_than:
                continue
            fd = try_lock(path)
            if fd is None:
                continue
            path.unlink()
            state_file(path).unlink(missing_ok=True)
            os.close(fd)
            removed += 1
    return removed
