"""A cap on the bytes of all fetches together: a leaky bucket whose level is a point in time."""

import math

import trio

__all__ = ["Throttle"]

_BURST = 0.25
"""Seconds of unused rate that may be caught up on."""
_TENTH = 0.1
"""Seconds of the rate that are taken at once."""
_LEAST = 64 * 1024
_UNLIMITED = 1 << 30


class Throttle:
    """Lets through so many bytes in a second, whoever takes them.

    Args:
        rate: Bytes for each second; `inf`: no limit.
    """

    def __init__(self, rate: float = math.inf) -> None:
        self._rate = rate
        self.portion = _UNLIMITED if rate == math.inf else max(_LEAST, int(rate * _TENTH))
        """Bytes that are best taken at once."""
        self._paid_until = -math.inf

    async def take(self, size: int) -> None:
        """Wait until what was taken before has had its time; then these bytes are taken."""
        if self._rate == math.inf:
            return
        now = trio.current_time()
        due = max(self._paid_until, now - _BURST)
        self._paid_until = due + size / self._rate
        if due > now:
            await trio.sleep_until(due)
