"""Who may remove blobs while others add them: one lock per store, and pins.

A blob that no manifest names is garbage, unless somebody is about to write that manifest. So whoever
collects blobs for a manifest pins them first and lets go when the manifest is there. Removing takes
the store's lock alone, pinning takes it together with others: a sweep sees a pin, or comes before
it, and then the pinner finds the blob missing. A pin is a locked file; it dies with its process.

All of it blocks: call it from a thread.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from actorllm.actors.blobs.files import (
    create_temp,
    no_space_refused,
    remove_dead_temps,
    try_lock,
    write_all,
)
from actorllm.protocol.errors import Refused
from actorllm.protocol.names import parse_digest

__all__ = ["Pin", "StoreLock"]


class StoreLock:
    """The lock of a store, shared by all processes that use it, and the pins beside it.

    Args:
        folder: A folder of ours; it is made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._pins = folder / "pins"
        self._pins.mkdir(parents=True, exist_ok=True)
        self._file = folder / "lock"

    @contextmanager
    def adding(self) -> Iterator[None]:
        """Hold the lock together with others who add."""
        with self._held(fcntl.LOCK_SH):
            yield

    @contextmanager
    def removing(self) -> Iterator[None]:
        """Hold the lock alone."""
        with self._held(fcntl.LOCK_EX):
            yield

    @contextmanager
    def _held(self, how: int) -> Iterator[None]:
        fd = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, how)
            yield
        finally:
            os.close(fd)

    def pin(self) -> "Pin":
        """Start to collect blobs for a manifest. Close it when the manifest is written."""
        return Pin(self, self._pins)

    def pinned(self) -> frozenset[str]:
        """Return the digests that living processes have pinned. Call it while `removing`."""
        digests: set[str] = set()
        for path in self._pins.iterdir():
            fd = try_lock(path)
            if fd is not None:
                os.close(fd)  # its process is gone
                continue
            with suppress(OSError):
                digests.update(_digests(path.read_text("ascii", errors="replace")))
        return frozenset(digests)

    def remove_dead_pins(self) -> None:
        remove_dead_temps(self._pins)


class Pin:
    """Blobs that must not be removed while this is open."""

    def __init__(self, lock: StoreLock, folder: Path) -> None:
        self._lock = lock
        self._file, self._path = create_temp(folder)

    def add(self, digest: str) -> None:
        """Pin a blob, there or not yet. Look whether it is there afterwards, not before.

        Raises:
            Refused: The text is no digest: 400; the disk is full: 507.
        """
        line = f"{parse_digest(digest)}\n".encode()
        with self._lock.adding(), no_space_refused():
            write_all(self._file, line)

    def close(self) -> None:
        """Let go of the blobs."""
        self._path.unlink(missing_ok=True)
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _digests(text: str) -> Iterator[str]:
    for line in text.splitlines():
        with suppress(Refused):
            yield parse_digest(line)
