"""One blob on its way to the disk. All of it blocks: call it from a thread."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import attrs

from actorllm.actors.blobs.files import create_temp, fsync_folder, no_space_refused, write_all
from actorllm.protocol.errors import Refused
from actorllm.protocol.names import blob_file

__all__ = ["BlobWriter", "Stored", "digest_mismatch"]


@attrs.frozen
class Stored:
    """A blob that is on the disk, verified."""

    digest: str
    size: int
    """Bytes."""
    path: Path


def digest_mismatch(expected: str, found: str) -> Refused:
    """Return the answer to bytes that are not those of their digest."""
    return Refused.because(400, f'digest mismatch, expected "{expected}", got "{found}"')


class BlobWriter:
    """Writes a blob that nobody sees before its digest is known and right.

    Leave the block, or call `abort`, before `commit`, and nothing is kept.

    Args:
        folder: Gets it.
        expected: Its digest if that is known.
        size_of: Tells the bytes of a blob that is there, by its digest.
    """

    def __init__(
        self, folder: Path, expected: str | None, size_of: Callable[[str], int | None]
    ) -> None:
        self._folder = folder
        self._expected = expected
        self._size_of = size_of
        self._file, self._temp = create_temp(folder)
        self._hash = hashlib.sha256()
        self.size = 0
        """Bytes written so far."""

    def write(self, data: bytes | memoryview) -> None:
        """Append to the blob.

        Raises:
            Refused: The disk is full: 507. The writer is aborted.
        """
        try:
            with no_space_refused():
                write_all(self._file, data)
        except BaseException:
            self.abort()
            raise
        self._hash.update(data)
        self.size += len(data)

    def commit(self) -> Stored:
        """Verify the digest and make the blob visible and durable.

        Raises:
            Refused: The digest is another than expected: 400; the disk is full: 507. Nothing is kept.
        """
        digest = f"sha256:{self._hash.hexdigest()}"
        try:
            if self._expected is not None and self._expected != digest:
                raise digest_mismatch(self._expected, digest)
            path = self._folder / blob_file(digest)
            # The same blob may be there already, mapped by a runner: then it stays as it is.
            if self._size_of(digest) != self.size:
                self._publish(path)
        finally:
            self.abort()
        return Stored(digest, self.size, path)

    def _publish(self, path: Path) -> None:
        with no_space_refused():
            os.fsync(self._file.fileno())
        self._temp.replace(path)
        fsync_folder(self._folder)

    def abort(self) -> None:
        """Discard what is not committed. Does nothing after the end."""
        self._temp.unlink(missing_ok=True)
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()
