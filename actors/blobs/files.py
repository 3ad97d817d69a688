"""Files that are there whole or not at all, and locks that die with their process.

All of it blocks: call it from a thread.
"""

import errno
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Final

from actorllm.protocol.errors import Refused
from actorllm.protocol.names import TEMP_SUFFIX

__all__ = [
    "create_temp",
    "fsync_folder",
    "no_space_refused",
    "remove_dead_temps",
    "try_lock",
    "write_all",
    "write_atomically",
]

_NEWBORN: Final = 60.0
"""Seconds in which a temporary file may exist without a lock on it yet."""

_FULL: Final = {errno.ENOSPC, errno.EDQUOT}


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def create_temp(folder: Path) -> tuple[FileIO, Path]:
    """Create an empty locked file of a name that no other process can have.

    Returns:
        The file, which holds an exclusive lock until it is closed, and its path.

    Raises:
        Refused: The disk is full: 507.
    """
    path = folder / f".{os.getpid()}-{secrets.token_hex(8)}{TEMP_SUFFIX}"
    with no_space_refused():
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return FileIO(fd, "r+"), path


def try_lock(path: Path) -> int | None:
    """Open and lock a file unless a living process holds its lock; the caller closes it."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


def remove_dead_temps(folder: Path, *, newborn: float = _NEWBORN) -> list[Path]:
    """Remove the temporary files of processes that are gone.

    Args:
        folder: Where `create_temp` made them; other files are left alone.
        newborn: Seconds of age under which a file is left alone.
    """
    removed = []
    for path in folder.glob(f"*{TEMP_SUFFIX}"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime < newborn:
                continue
            fd = try_lock(path)
            if fd is None:
                continue
            try:
                path.unlink()
                removed.append(path)
            finally:
                os.close(fd)
    return removed


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old content or all of the new.

    Raises:
        Refused: The disk is full: 507.
    """
    file, temp = create_temp(path.parent)
    with file:
        try:
            with no_space_refused():
                write_all(file, data)
                os.fsync(file.fileno())
            temp.replace(path)
        except BaseException:
            temp.unlink(missing_ok=True)
            raise
    fsync_folder(path.parent)


def write_all(file: FileIO, data: bytes | memoryview) -> None:
    """Write all of it, however many calls the system wants for that."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


@contextmanager
def no_space_refused(
    text: str = "no space left in the model store; remove a model and try again",
) -> Iterator[None]:
    """Turn a full disk into an answer."""
    try:
        yield
    except OSError as e:
        if e.errno in _FULL:
            raise Refused.because(507, text) from e
        raise
