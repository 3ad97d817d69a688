"""Windows: the tokens of context that a slot has, and that a work may use of them."""

__all__ = ["SMALLEST_WINDOW", "padded", "window_of"]

SMALLEST_WINDOW = 4
"""Below it a context shift would have nothing to forget."""

_STEP = 256
"""llama.cpp rounds the cells of a sequence up to a multiple of this."""


def padded(num_ctx: int) -> int:
    """Round up to what llama.cpp makes of a size of context."""
    return -(-num_ctx // _STEP) * _STEP


def window_of(wanted: int | None, slot: int) -> int:
    """Give the window of a request that runs in a slot.

    Args:
        wanted: Its `num_ctx`; None or 0 takes the slot's.
        slot: Tokens in the window of the slot.
    """
    return min(padded(wanted), slot) if wanted and wanted > 0 else slot
