"""Where a text may be cut so that its parts have the tokens of the whole.

llama.cpp looks for special tokens in a text, and for each that it finds it counts those before: a
text of 50,000 takes it seconds, and a hostile one of millions takes it days. Block by block the time
grows with the text alone.

A text may be cut where a special token begins that certainly counts as one: no other reaches
across its ends, and no white space is near that it, or the one before, could swallow.
"""

import re
from collections.abc import Iterable, Iterator

__all__ = ["MOST_SPECIALS", "Blocks"]

MOST_SPECIALS = 1024
"""Special tokens from which on a block ends."""


class Blocks:
    """Cuts texts.

    Args:
        specials: The texts of the special tokens that are looked for.
    """

    def __init__(self, specials: Iterable[bytes]) -> None:
        self._specials = sorted({s for s in specials if s}, key=len, reverse=True)
        self._longest = max(map(len, self._specials), default=0)
        any_of_them = b"|".join(map(re.escape, self._specials))
        self._pattern = re.compile(any_of_them) if any_of_them else None

    def of(self, data: bytes) -> Iterator[bytes]:
        """Give a text block by block; one with few special tokens is one block."""
        begin = count = 0
        for found in self._pattern.finditer(data) if self._pattern is not None else ():
            count += 1
            if count > MOST_SPECIALS and self._begins(data, *found.span()):
                yield data[begin : found.start()]
                begin, count = found.start(), 1
        yield data[begin:]

    def _begins(self, data: bytes, start: int, end: int) -> bool:
        near = data[start - 1 : start + 1]
        return (
            not (near[:1].isspace() or near[1:].isspace())
            and not self._crossed(data, start)
            and not self._crossed(data, end)
        )

    def _crossed(self, data: bytes, at: int) -> bool:
        """Whether a special token reaches from one side of a place to the other."""
        first = max(0, at - self._longest + 1)
        around, at = data[first : at + self._longest - 1], at - first
        return any(
            around.find(s, max(0, at - len(s) + 1), at + len(s) - 1) >= 0 for s in self._specials
        )
