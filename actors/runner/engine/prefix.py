"""The prefix cache's decisions: in which slot a prompt begins, and with how many cells."""

from collections.abc import Mapping, Sequence

import attrs

from actorllm.actors.runner.engine.slots import Slot

__all__ = [
    "MIN_COPY_GAIN",
    "Placement",
    "beside_running",
    "oldest",
    "place_prompt",
    "usable_cells",
]

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


def usable_cells(shared: int, held: int, reusable: int, prompt: int, *, can_cut: bool) -> int:
    """Count the cells that a prompt can use of a sequence.

    Args:
        shared: Tokens that both begin with.
        held: Tokens of the sequence.
        reusable: Leading cells of it that others may use.
        prompt: Tokens of the prompt; its last one is always evaluated, since its logits are needed.
        can_cut: Whether cells can be forgotten from the end; if not (recurrent models), only
            a sequence as a whole can be a prefix.
    """
    if not can_cut:
        return held if shared == held == reusable < prompt else 0
    return min(shared, reusable, prompt - 1)


def place_prompt(
    slots: Sequence[Slot],
    usable: Mapping[Slot, int],
    *,
    near: Sequence[Slot] = (),
    movable: int = 0,
) -> Placement | None:
    """Choose a free slot for a prompt, so that as little as possible is evaluated or lost.

    Args:
        slots: All slots; those with a stream are not free, but their cells can be copied.
        usable: The cells that the prompt can use of each slot; none where a slot is missing.
        near: Free slots that it would be well to choose from.
        movable: Cells that may be copied for the sake of that.

    Returns:
        None if no slot is free.
    """
    free = [slot for slot in slots if slot.stream is None]
    if not free:
        return None
    if near and max(usable.get(slot, 0) for slot in free) <= movable:
        free = list(near)
    own = max(free, key=lambda slot: (usable.get(slot, 0), -slot.last_used, -slot.index))
    source = max(slots, key=lambda slot: usable.get(slot, 0))
    # A slot is continued if that keeps most of what it remembers; else the one that nobody
    # used for longest gives way, and gets a copy of the prefix if that is worth it.
    continues = usable.get(own, 0) * 2 >= len(own.tokens)
    target = own if continues and usable.get(own, 0) else oldest(free)
    if usable.get(source, 0) - usable.get(target, 0) >= MIN_COPY_GAIN:
        return Placement(target, usable[source], source)
    return Placement(target, usable.get(target, 0))


def oldest(slots: Sequence[Slot]) -> Slot:
    """Choose the free slot whose content is missed least; there must be one."""
    return min((slot for slot in slots if slot.stream is None), key=_age)


def beside_running(slots: Sequence[Slot], reach: int) -> list[Slot]:
    """Give the free slots that are nearest to a running one, and no more than `reach` places away."""
    running = [slot.index for slot in slots if slot.stream is not None]
    away = {
        slot: min(abs(slot.index - at) for at in running)
        for slot in slots
        if slot.stream is None and running
    }
    nearest = min(away.values(), default=reach + 1)
    return [slot for slot in away if away[slot] == nearest <= reach]


def _age(slot: Slot) -> tuple[bool, int, int]:
    # Empty slots first; of those the lowest, which keeps the running sequences side by side.
    return (bool(slot.tokens), slot.last_used, slot.index)
