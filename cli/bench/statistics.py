"""Statistics of a few rounds: medians with their spread, percentiles, ratios."""

import math
from collections.abc import Sequence
from statistics import median

import attrs

__all__ = ["Spread", "percentile", "ratio", "spread"]


@attrs.frozen
class Spread:
    """The median of some values, and how far they reach."""

    median: float
    least: float
    most: float


def spread(values: Sequence[float]) -> Spread:
    """Sum up the values of the rounds.

    Raises:
        ValueError: There are none.
    """
    return Spread(median(values), min(values), max(values))


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that is not below so many percent of all (the nearest rank).

    Raises:
        ValueError: There are no values, or the percentage is not within 0 to 100.
    """
    if not values or not 0 <= percent <= 100:
        raise ValueError("a percentile needs values, and a percentage within 0 to 100")
    rank = max(math.ceil(len(values) * percent / 100), 1)
    return sorted(values)[rank - 1]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread | None:
    """Compare round by round; rounds in which a value is missing or 0 do not count.

    The rounds of both are taken in turns, so what disturbs the machine for a while disturbs both
    sides of a ratio, and the median of the ratios is steadier than the ratio of the medians.
    """
    ratios = [a / b for a, b in zip(ours, theirs, strict=False) if a and b]
    return spread(ratios) if ratios else None
