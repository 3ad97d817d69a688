"""A range of a file as the body of a request: read in threads, counted, summed."""

import hashlib
import os
from collections.abc import AsyncIterator, Callable
from typing import Final

import httpx
import trio

__all__ = ["FileRange"]

_PIECE: Final = 256 * 1024


class FileRange(httpx.AsyncByteStream):
    """Bytes of an open file.

    An iterator with a method instead of a generator: one that a broken connection leaves half read
    needs no cleaning up.

    Args:
        fd: The file.
        first: Offset of the first byte.
        end: Offset after the last byte.
        sent: Told how many bytes of it have been handed on.
    """

    def __init__(self, fd: int, first: int, end: int, sent: Callable[[int], None]) -> None:
        self._fd = fd
        self._first = first
        self._at = first
        self._end = end
        self._sent = sent
        self._md5 = hashlib.md5(usedforsecurity=False)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self._sent(self._at - self._first)
        if self._at >= self._end:
            raise StopAsyncIteration
        piece = await trio.to_thread.run_sync(self._read)
        self._at += len(piece)
        return piece

    def _read(self) -> bytes:
        piece = os.pread(self._fd, min(_PIECE, self._end - self._at), self._at)
        if not piece:
            raise OSError("the blob is shorter than its manifest says")
        self._md5.update(piece)
        return piece

    def checksum(self) -> bytes:
        """Return the MD5 of what was read."""
        return self._md5.digest()

    async def aclose(self) -> None:
        """Nothing to do: the file belongs to who opened it."""
