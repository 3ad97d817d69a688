"""Bounded reading of little-endian values: nothing is read or allocated before it is checked."""

import struct
from collections.abc import Callable
from mmap import mmap
from struct import Struct
from typing import Final

__all__ = ["MAX_ARRAY", "MAX_STRING", "SCALARS", "Cursor", "GgufError"]

MAX_STRING: Final = 16 * 1024 * 1024
"""Longest string in a header, in bytes."""

MAX_ARRAY: Final = 64 * 1024 * 1024
"""Most elements of one array, and of all arrays of a header together."""

SCALARS: Final = {
    0: Struct("<B"),
    1: Struct("<b"),
    2: Struct("<H"),
    3: Struct("<h"),
    4: Struct("<I"),
    5: Struct("<i"),
    6: Struct("<f"),
    7: Struct("<?"),
    10: Struct("<Q"),
    11: Struct("<q"),
    12: Struct("<d"),
}
"""Layouts of the scalar value types by their number in a file."""

_U64 = Struct("<Q").unpack_from


class GgufError(ValueError):
    """A file that is no GGUF file or lies about itself. The text is one line for the client."""


class Cursor:
    """A position in the bytes of a header."""

    def __init__(self, data: mmap | bytes, pos: int = 0) -> None:
        self._data = data
        self._end = len(data)
        self.pos = pos
        self._budget = MAX_ARRAY

    @property
    def left(self) -> int:
        """Bytes between the position and the end of the file."""
        return self._end - self.pos

    def take(self, size: int, what: str) -> bytes:
        """Read `size` bytes.

        Raises:
            GgufError: The file ends before.
        """
        if size > self.left:
            raise GgufError(f"failed to read {what}: unexpected EOF")
        start, self.pos = self.pos, self.pos + size
        return self._data[start : self.pos]

    def scalar(self, kind: int, what: str) -> int | float | bool:
        layout = SCALARS[kind]
        value: int | float | bool = layout.unpack(self.take(layout.size, what))[0]
        return value

    def u32(self, what: str) -> int:
        return int.from_bytes(self.take(4, what), "little")

    def u64(self, what: str) -> int:
        return int.from_bytes(self.take(8, what), "little")

    def string(self, what: str, limit: int = MAX_STRING) -> bytes:
        size = self.u64(what)
        if size > limit:
            raise GgufError(f"{what} is {size} bytes long; at most {limit} are allowed")
        return self.take(size, what)

    def array_length(self, element: int, what: str) -> int:
        """Read the length of an array whose elements take at least `element` bytes each."""
        count = self.u64(what)
        if count > self._budget:
            raise GgufError(f"{what} has {count} elements; at most {MAX_ARRAY} are allowed")
        if count * element > self.left:
            raise GgufError(f"failed to read {what}: unexpected EOF")
        self._budget -= count
        return count

    def skip(self, size: int) -> None:
        """Move on over bytes that `array_length` has checked."""
        self.pos += size

    def strings(self, count: int, what: str, each: Callable[[bytes], None] | None = None) -> None:
        """Walk over `count` strings, and give them to `each`.

        A vocabulary has 150,000 of them and must pass in a few hundredths of a second, so this
        loop has one check per string: a position past the end fails at the next length.
        """
        data, end, pos = self._data, self._end, self.pos
        try:
            for _ in range(count):
                (size,) = _U64(data, pos)
                if size > MAX_STRING:
                    raise GgufError(
                        f"{what} has a string of {size} bytes; at most {MAX_STRING} are allowed"
                    )
                start = pos + 8
                pos = start + size
                if each is not None:
                    if pos > end:
                        break
                    each(data[start:pos])
        except struct.error:
            pos = end + 1
        if pos > end:
            raise GgufError(f"failed to read {what}: unexpected EOF")
        self.pos = pos
