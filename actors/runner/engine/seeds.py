"""Random numbers as a function of a seed and a position."""

__all__ = ["position_seed"]

_WORD = (1 << 64) - 1
_RANDOM = 0xFFFFFFFF
"""What llama.cpp takes for "seed me by chance"."""


def position_seed(seed: int, position: int) -> int:
    """Hash a seed and a position into 32 bits (splitmix64's mixing steps); never `_RANDOM`."""
    word = (seed + (position + 1) * 0x9E3779B97F4A7C15) & _WORD
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _WORD
    mixed = (word ^ (word >> 31)) & 0xFFFFFFFF
    return 0 if mixed == _RANDOM else mixed
