"""The models that are loaded, as clients see them. Pure."""

import math
from collections.abc import Iterable

from actorllm.actors.scheduler.runners import Runner
from actorllm.protocol.messages.scheduling import LoadedList, LoadedModel

__all__ = ["loaded_list"]

_NS = 1_000_000_000
_FOREVER_NS = 2**63 - 1


def loaded_list(runners: Iterable[Runner], now: float, wall: int) -> LoadedList:
    """Describe what is loaded, the one that stays longest first.

    Args:
        runners: All that there are.
        now: Seconds of the clock by which they are idle.
        wall: Unix nanoseconds of the same moment.
    """
    rows = [_row(runner, now, wall) for runner in runners if runner.state == "ready"]
    return LoadedList(tuple(sorted(rows, key=lambda row: -row.expires_at)))


def _row(runner: Runner, now: float, wall: int) -> LoadedModel:
    return LoadedModel(
        name=runner.model.name,
        digest=runner.model.digest,
        size=runner.size,
        size_vram=0,
        expires_at=_expiry(runner, now, wall),
        context_length=runner.num_ctx,
        details=runner.model.details,
    )


def _expiry(runner: Runner, now: float, wall: int) -> int:
    """Unix nanoseconds; for a busy runner, as if it became idle now."""
    idle = runner.idle_since if runner.idle_since is not None else now
    left = idle + runner.keep_alive - now
    if math.isinf(left):
        return _FOREVER_NS
    return min(wall + int(left * _NS), _FOREVER_NS)
