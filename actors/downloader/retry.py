"""When and how long to wait before another try: pure functions and numbers."""

from typing import Final

import attrs

__all__ = ["DEFAULT", "RETRIED", "Policy", "retry_after"]

RETRIED: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may be others the next time."""

_MAX_RETRY_AFTER: Final = 60.0


@attrs.frozen
class Policy:
    """How patient a transfer is."""

    tries: int = 6
    """Tries of a part without any progress between them."""
    first: float = 1.0
    """Seconds before the second try; doubled each time."""
    cap: float = 32.0
    """Seconds that a wait has at most."""
    stall: float = 30.0
    """Seconds without a byte after which a connection counts as dead."""

    def wait(self, tries: int, random: float, asked: float | None = None) -> float:
        """Return the seconds before the next try.

        Args:
            tries: Tries that failed, from 1.
            random: In [0, 1): spreads the wait over ±25 %.
            asked: What the registry asked for, in seconds.
        """
        spread = 0.75 + 0.5 * random
        return max(min(self.cap, self.first * 2.0 ** min(tries - 1, 16)) * spread, asked or 0.0)


DEFAULT: Final = Policy()


def retry_after(header: str | None) -> float | None:
    """Read `Retry-After` in seconds, at most a minute; a date is not understood."""
    if header is None or not header.isascii() or not header.isdigit() or len(header) > 9:
        return None
    return min(float(header), _MAX_RETRY_AFTER)
