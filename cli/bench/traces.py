"""Recorded streams, and what they tell."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import attrs

__all__ = ["Counts", "Recording", "Trace", "longest_wait"]


@attrs.define(eq=False)
class Recording:
    """The bytes of an answer with the times at which they came, in seconds of one clock.

    They are parsed when all streams have ended: while the clock runs, a token costs an append.
    """

    sent: float = 0.0
    chunks: list[tuple[float, bytes]] = attrs.field(factory=list)
    size: int = 0
    ended: float = 0.0
    """0 as long as it runs, and for ever if it was broken off."""

    def add(self, time: float, chunk: bytes) -> None:
        """Keep what came."""
        self.chunks.append((time, chunk))
        self.size += len(chunk)

    def lines(self) -> Iterator[tuple[float, bytes]]:
        """Give the lines that are not blank, each at the time of its last byte."""
        rest = b""
        for time, chunk in self.chunks:
            *lines, rest = (rest + chunk).split(b"\n")
            yield from ((time, line) for line in lines if line.strip())
        if rest.strip() and self.ended:
            yield self.ended, rest


@attrs.frozen(kw_only=True)
class Counts:
    """What a server said of an answer; None where it said nothing."""

    prompt: int | None = None
    cached: int | None = None
    generated: int | None = None


@attrs.frozen(kw_only=True)
class Trace:
    """When the pieces of an answer came."""

    sent: float
    pieces: tuple[float, ...]
    """Times of the pieces with text in them."""
    ended: float
    counts: Counts

    @property
    def tokens(self) -> int:
        """Generated tokens; the pieces, if the server does not count."""
        counted = self.counts.generated
        return len(self.pieces) if counted is None else counted

    @property
    def ttft(self) -> float | None:
        """Seconds from the request to the first piece."""
        return self.pieces[0] - self.sent if self.pieces else None

    @property
    def gaps(self) -> list[float]:
        """Seconds between two pieces."""
        return [after - before for before, after in pairwise(self.pieces)]

    @property
    def rate(self) -> float | None:
        """Tokens per second after the first one."""
        seconds = self.pieces[-1] - self.pieces[0] if self.pieces else 0.0
        return (self.tokens - 1) / seconds if seconds > 0 and self.tokens > 1 else None


def longest_wait(pieces: Sequence[float], begin: float, end: float) -> float:
    """Return the longest time without a piece, of the waits that reach into a span of time.

    A wait that began before the span counts in full, one that is not over at its end up to there.
    """
    before = [time for time in pieces if time <= begin][-1:]
    within: Iterable[float] = (time for time in pieces if begin < time < end)
    after = [time for time in pieces if time >= end][:1] or [end]
    times = [*before, *within, *after]
    return max((b - a for a, b in pairwise(times)), default=0.0)
