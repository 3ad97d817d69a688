"""A file in the server's folder of blobs without a second copy of its bytes."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

__all__ = ["shared"]

_FICLONE: Final = 0x40049409
"""ioctl of Linux: share the blocks of another file, copy on write."""


@contextmanager
def shared(source: Path, folder: Path) -> Iterator[str | None]:
    """Put a file into a folder under a temporary name, while the block lasts.

    Its blocks are shared, copy on write, where the file system can; else it is a hard link, and
    whoever writes to the file then writes to both.

    Args:
        source: The file; it stays.
        folder: Of the blobs.

    Yields:
        The name; None: neither can be done.
    """
    from actorllm.protocol.names import TEMP_SUFFIX

    path = folder / f".{secrets.token_hex(16)}{TEMP_SUFFIX}"
    try:
        done = _cloned(source, path) or _linked(source, path)
        yield path.name if done else None
    finally:
        with suppress(OSError):
            path.unlink()


def _cloned(source: Path, path: Path) -> bool:
    try:
        with source.open("rb") as old, path.open("xb") as new:
            fcntl.ioctl(new.fileno(), _FICLONE, old.fileno())
    except OSError:
        with suppress(OSError):
            path.unlink()
        return False
    return True


def _linked(source: Path, path: Path) -> bool:
    try:
        os.link(source.resolve(), path)
    except OSError:
        return False
    return True
