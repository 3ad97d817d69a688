"""Random numbers as a function of a seed and a position."""

__all__ = ["chance", "position_seed"]

_WORD = (1 << 64) - 1
_RANDOM = 0xFFFFFFFF
"""What llama.cpp takes for "seed me by chance"."""


def position_seed(seed: int, position: int) -> int:
    """Hash a seed and a position into 32 bits; never `_RANDOM`."""
    mixed = _mix(seed, position) & 0xFFFFFFFF
    return 0 if mixed == _RANDOM else mixed


def chance(seed: int, position: int) -> float:
    """Hash a seed and a position into a number from 0 to below 1."""
    return (_mix(seed, position) >> 11) * 2.0**-53


def _mix(seed: int, position: int) -> int:
    """Mix 64 bits by the steps of splitmix64."""
    word = (seed + (position + 1) * 0x9E3779B97F4A7C15) & _WORD
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _WORD
    return word ^ (word >> 31)
