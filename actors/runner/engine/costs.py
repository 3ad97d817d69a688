"""What it costs to copy the state of a sequence, and to compute it anew. Pure."""

from collections.abc import Callable

__all__ = ["Costs"]

_COPIED_PER_SECOND = 2e9
"""Bytes, until a copy has been measured."""
_MEASURED = 1 << 20
"""Bytes of a copy from which on its time says something."""
_UNNOTICED = 0.03
"""Seconds of a copy that running streams may wait for in any case."""
_GUESSED_RATE = 1000.0
"""Tokens per second, before the first prompt was measured."""


class Costs:
    """Seconds of copying, which it learns, and of computing.

    Args:
        rate: Tokens of a prompt that are evaluated in a second; 0 if it is not known yet.
    """

    def __init__(self, rate: Callable[[], float]) -> None:
        self._rate = rate
        self._copied = _COPIED_PER_SECOND

    def computing(self, tokens: int) -> float:
        """Predict how long it takes to compute tokens of a prompt."""
        return tokens / (self._rate() or _GUESSED_RATE)

    def copying(self, size: int) -> float:
        """Predict how long it takes to copy bytes."""
        return size / self._copied

    @property
    def unnoticed(self) -> float:
        """Bytes that are copied before anybody notices."""
        return _UNNOTICED * self._copied

    def learn(self, size: int, seconds: float) -> None:
        """Learn from a copy. Small ones say little about speed and are left out."""
        if size >= _MEASURED and seconds > 0:
            self._copied = 0.7 * self._copied + 0.3 * size / seconds
