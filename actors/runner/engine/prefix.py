"""The prefix cache's decisions: in which slot a prompt begins, and with how many cells."""

from collections.abc import Sequence

import attrs

from actorllm.actors.runner.engine.slots import Slot

__all__ = ["MIN_COPY_GAIN", "Placement", "common_prefix", "place_prompt"]

MIN_COPY_GAIN = 32
"""Tokens that must be saved before the cells of another slot are copied, which moves them all."""


@attrs.frozen
class Placement:
    """Where a prompt goes."""

    slot: Slot
    keep: int
    """Cells that it uses."""
    source: Slot | None = None
    """The slot whose cells are copied first, if any."""


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """Count the tokens that two sequences begin with alike."""
    length = min(len(a), len(b))
    if a[:length] == b[:length]:
        return length
    low, high = 0, length  # a[:low] is alike, a[:high] is not
    while high - low > 1:
        middle = (low + high) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle
    return low


def place_prompt(
    slots: Sequence[Slot], tokens: list[int], *, orderly: bool, can_cut: bool = True
) -> Placement | None:
    """Choose a free slot for a prompt, so that as little as possible is evaluated or lost.

    Args:
        slots: All slots; those with a stream are not free, but their cells can be copied.
        tokens: The prompt; its last token is always evaluated, since its logits are needed.
        orderly: Use only cells that were computed in deterministic batches.
        can_cut: Whether cells can be forgotten from the end; if not (recurrent models), only
            a slot's whole content can be a prefix.

    Returns:
        None if no slot is free.
    """
    free = [slot for slot in slots if slot.stream is None]
    if not free:
        return None
    usable = {slot.index: _usable(slot, tokens, orderly, can_cut) for slot in slots}
    own = max(free, key=lambda slot: (usable[slot.index], -slot.last_used, -slot.index))
    source = max(slots, key=lambda slot: usable[slot.index])
    # A slot is continued if that keeps most of what it remembers; else the one that nobody
    # used for longest gives way, and gets a copy of the prefix if that is worth it.
    continues = usable[own.index] * 2 >= len(own.tokens)
    target = own if continues and usable[own.index] else min(free, key=_age)
    if usable[source.index] - usable[target.index] >= MIN_COPY_GAIN:
        return Placement(target, usable[source.index], source)
    return Placement(target, usable[target.index])


def _usable(slot: Slot, tokens: list[int], orderly: bool, can_cut: bool) -> int:
    limit = min(slot.reusable(orderly=orderly), len(tokens) - 1)
    if not can_cut and limit < len(slot.tokens):
        return 0
    common = common_prefix(slot.tokens[:limit], tokens[:limit])
    return common if can_cut or common == len(slot.tokens) else 0


def _age(slot: Slot) -> tuple[bool, int, int]:
    # Empty slots first; of those the lowest, which keeps the running sequences side by side.
    return (bool(slot.tokens), slot.last_used, slot.index)
