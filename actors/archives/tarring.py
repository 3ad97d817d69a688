"""The tar format, as far as an archive of models needs it: pure, in and out.

Files and folders are all that is understood; links, devices and whatever else a tar file can hold are
refused. Sizes of 8 GiB and more are written in base 256, as GNU tar does, and read in that form or
from a PAX header (POSIX.1-2001), as other writers put them.
"""

import re
import tarfile
from collections.abc import Iterator
from typing import Final

import attrs

from actorllm.protocol.errors import Refused

__all__ = ["BLOCK", "END", "Began", "Ended", "Event", "Piece", "TarReader", "header", "padding"]

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)
"""What an archive ends with."""

_FILES: Final = {tarfile.REGTYPE, tarfile.AREGTYPE}
_MAX_ENTRIES: Final = 65_536
_MAX_PAX: Final = 64 * 1024
_MAX_SIZE: Final = 1 << 50
_RECORD = re.compile(rb"([0-9]{1,7}) ([^=\n]{1,256})=")


@attrs.frozen
class Began:
    """A file begins."""

    name: str
    size: int
    """Bytes."""


@attrs.frozen
class Piece:
    """Bytes of the file that has begun."""

    data: memoryview


@attrs.frozen
class Ended:
    """The file is complete."""


Event = Began | Piece | Ended


def header(name: str, size: int, modified: int = 0) -> bytes:
    """Return the header of a file.

    Args:
        name: At most a hundred bytes.
        size: Bytes.
        modified: Unix seconds.
    """
    info = tarfile.TarInfo(name)
    info.size, info.mtime = size, modified
    return info.tobuf(tarfile.GNU_FORMAT)


def padding(size: int) -> bytes:
    """Return what follows a file, up to the next header."""
    return bytes(-size % BLOCK)


class TarReader:
    """Takes an archive apart as it comes."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._left = 0
        """Bytes of the current file that are to come."""
        self._skip = 0
        """Bytes of padding that are to come."""
        self._pax: bytearray | None = None
        self._wanted: dict[bytes, bytes] = {}
        self._ignored = False
        self._is_open = False
        self._entries = 0
        self.ended = False
        """Whether the end of the archive has come."""

    def feed(self, data: bytes | memoryview) -> Iterator[Event]:
        """Go on with what has come; iterate to the end before the next call.

        Raises:
            Refused: It is no archive that may be read: 400.
        """
        rest = memoryview(data)
        while rest and not self.ended:
            if self._left:
                piece, rest = rest[: self._left], rest[self._left :]
                self._left -= len(piece)
                yield from self._content(piece)
            elif self._skip:
                count = min(self._skip, len(rest))
                self._skip -= count
                rest = rest[count:]
            else:
                count = BLOCK - len(self._head)
                self._head += rest[:count]
                rest = rest[count:]
                if len(self._head) == BLOCK:
                    block, self._head = bytes(self._head), bytearray()
                    yield from self._begin(block)

    def check_complete(self) -> None:
        """Refuse with 400 an archive whose end has not come, or which never began."""
        if not self._entries:
            raise _no_archive(bytes(self._head))
        if not self.ended:
            raise Refused.because(400, "the archive is cut off; copy or export it again")

    def _content(self, piece: memoryview) -> Iterator[Event]:
        if self._pax is not None:
            self._pax += piece
            if not self._left:
                self._wanted |= _records(bytes(self._pax))
                self._pax = None
            return
        if self._ignored:
            return
        yield Piece(piece)
        if not self._left:
            yield Ended()

    def _begin(self, block: bytes) -> Iterator[Event]:
        if not any(block):
            self.ended = True
            return
        info = _info(block)
        self._entries += 1
        if self._entries > _MAX_ENTRIES:
            raise Refused.because(400, f"the archive has more than {_MAX_ENTRIES} files")
        is_pax = info.type in {tarfile.XHDTYPE, tarfile.XGLTYPE}
        size = info.size if is_pax else self._size(info)
        if not 0 <= size <= (_MAX_PAX if is_pax else _MAX_SIZE):
            raise Refused.because(400, "the archive has a file of a size that cannot be")
        if is_pax:
            self._pax, self._left, self._skip = bytearray(), size, -size % BLOCK
            return
        name = self._wanted.pop(b"path", info.name.encode()).decode("utf-8", errors="replace")
        self._wanted.clear()
        if info.type not in {*_FILES, tarfile.DIRTYPE}:
            raise Refused.because(
                400, "the archive holds something that is neither file nor folder"
            )
        self._ignored = info.type == tarfile.DIRTYPE
        self._left, self._skip = size, -size % BLOCK
        if self._ignored:
            return
        yield Began(name, size)
        if not size:
            yield Ended()

    def _size(self, info: tarfile.TarInfo) -> int:
        text = self._wanted.get(b"size")
        if text is None:
            return int(info.size)
        return int(text) if text.isdigit() and len(text) < 19 else -1


def _no_archive(begin: bytes) -> Refused:
    hint = "; unpack it first" if _is_compressed(begin) else ""
    return Refused.because(400, f"this is no archive of models{hint}")


def _info(block: bytes) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError, OverflowError) as e:
        raise _no_archive(block) from e


def _is_compressed(block: bytes) -> bool:
    return block.startswith((b"\x1f\x8b", b"(\xb5/\xfd", b"BZh", b"\xfd7zXZ"))


def _records(data: bytes) -> dict[bytes, bytes]:
    """Read the records of a PAX header: a length, a space, `key=value` and a line feed each."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        match = _RECORD.match(data, at)
        end = at + int(match[1]) if match else 0
        if match is None or not match.end() < end <= len(data):
            raise Refused.because(400, "the archive has a damaged PAX header")
        if match[2] in {b"path", b"size"}:
            found[match[2]] = data[match.end() : end - 1]
        at = end
    return found
