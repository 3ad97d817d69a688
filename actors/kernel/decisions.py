"""Whom to restart: pure functions of what happened."""

from collections.abc import Sequence

import attrs

from actorllm.actors.kernel.exits import Exit
from actorllm.actors.kernel.specs import Intensity, Restart, Strategy

__all__ = ["Plan", "is_over_intensity", "plan_after_exit", "wants_restart"]


@attrs.frozen
class Plan:
    """What a supervisor does after a child has ended; ids of children."""

    stop: tuple[str, ...] = ()
    """To be stopped first, in this order (the reverse of the start order)."""
    start: tuple[str, ...] = ()
    """To be started then, in this order."""
    forget: bool = False
    """The child that ended is removed."""


def wants_restart(restart: Restart, exit_: Exit) -> bool:
    """Whether a child that ended is to be started again."""
    if restart is Restart.PERMANENT:
        return True
    return restart is Restart.TRANSIENT and exit_.is_failure


def plan_after_exit(
    strategy: Strategy,
    order: Sequence[tuple[str, Restart]],
    ended: str,
    exit_: Exit,
) -> Plan:
    """Decide what follows the end of a child.

    Args:
        strategy: The supervisor's.
        order: All children in start order.
        ended: The one that ended.
        exit_: Why.

    Temporary siblings that fall with the failed child are not started again.
    """
    restart = dict(order)[ended]
    if not wants_restart(restart, exit_):
        return Plan(forget=True)
    ids = [child for child, _ in order]
    at = ids.index(ended)
    first = {
        Strategy.ONE_FOR_ONE: at,
        Strategy.REST_FOR_ONE: at,
        Strategy.ONE_FOR_ALL: 0,
    }[strategy]
    last = at + 1 if strategy is Strategy.ONE_FOR_ONE else len(ids)
    fallen = order[first:last]
    return Plan(
        stop=tuple(child for child, _ in reversed(fallen) if child != ended),
        start=tuple(child for child, kind in fallen if kind is not Restart.TEMPORARY),
    )


def is_over_intensity(times: Sequence[float], now: float, intensity: Intensity) -> bool:
    """Whether restarts at `times` (seconds, the newest included) are more than is allowed."""
    recent = sum(1 for t in times if now - t <= intensity.seconds)
    return recent > intensity.restarts
