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
_MOST_TEXTS = 20_000
"""Special tokens of a vocabulary beyond which nothing is cut. Usual ones have a few, or thousands."""
_LONGEST_TEXT = 256


class Blocks:
    """Cuts texts.

    Args:
        specials: The texts of the special tokens that are looked for.
    """

    def __init__(self, specials: Iterable[bytes]) -> None:
        texts = sorted({s for s in specials if s})
        self._longest = max(map(len, texts), default=0)
        self._pattern = _any_of(texts) if self._longest <= _LONGEST_TEXT else None

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
        assert self._pattern is not None
        places = range(max(0, at - self._longest + 1), at)
        longest = (self._pattern.match(data, place) for place in places)
        return any(found is not None and found.end() > at for found in longest)


def _any_of(texts: list[bytes]) -> re.Pattern[bytes] | None:
    """Make a pattern of sorted texts that finds the longest one; None: there are too many, or none.

    What texts have in common is tried once, so that thousands of them cost as little as one.
    """
    if not 0 < len(texts) <= _MOST_TEXTS:
        return None
    try:
        return re.compile(_tree(texts, 0))
    except RecursionError:
        return None


def _tree(texts: list[bytes], at: int) -> bytes:
    """Write a pattern of sorted texts, from a place on up to which they are the same."""
    shortest, last = texts[0], texts[-1]
    end = at
    while end < len(shortest) and shortest[end] == last[end]:
        end += 1
    head = re.escape(shortest[at:end])
    rest = texts[1:] if end == len(shortest) else texts
    if not rest:
        return head
    groups: dict[int, list[bytes]] = {}
    for text in rest:
        groups.setdefault(text[end], []).append(text)
    tails = b"|".join([_tree(group, end) for group in groups.values()])
    return head + b"(?:" + tails + (b")?" if len(rest) < len(texts) else b")")
