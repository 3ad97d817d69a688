"""The runners that there are, by their weights, and what is remembered of those that crashed."""

import math
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from actorllm.actors.runner.engine.ladder import next_rung
from actorllm.actors.scheduler.rungs import Rungs
from actorllm.actors.scheduler.runners import Runner
from actorllm.protocol.errors import Refused

__all__ = ["Fleet"]


class Fleet:
    """All runners, from the begin of their load until their process has ended.

    Args:
        rungs: Survive the daemon.
        changed: Is called when somebody may have to act.
        warn: Logs an event.
        in_thread: Runs what blocks.
    """

    def __init__(
        self,
        rungs: Rungs,
        *,
        changed: Callable[[], None],
        warn: Callable[..., None],
        in_thread: Callable[..., Awaitable[Any]],
    ) -> None:
        self._rungs = rungs
        self._changed = changed
        self._warn = warn
        self._in_thread = in_thread
        self._runners: dict[str, Runner] = {}
        self._born = 0

    def __iter__(self) -> Iterator[Runner]:
        return iter(tuple(self._runners.values()))

    def get(self, key: str) -> Runner | None:
        """Give the runner of some weights, if there is one."""
        return self._runners.get(key)

    def add(self, runner: Runner) -> None:
        """Note a runner that is about to be started."""
        self._runners[runner.key] = runner

    def forget(self, runner: Runner) -> None:
        """The runner is no more."""
        if self._runners.get(runner.key) is runner:
            del self._runners[runner.key]
        runner.gone.set()
        self._changed()

    def next_child(self, name: str) -> str:
        """An id for a runner: it names the model for the eye."""
        self._born += 1
        clean = "".join(c if c.isalnum() or c in "._-" else "-" for c in name)
        return f"{clean}-{self._born}"

    @property
    def next_expiry(self) -> float:
        """When the first of them is to be unloaded; infinity if none is."""
        return min((runner.expires_at for runner in self), default=math.inf)

    def evictable(self) -> list[Runner]:
        """Those that could make room."""
        return [runner for runner in self if runner.state != "loading"]

    async def evict(self, key: str) -> None:
        """Unload a model, after its requests have ended, and wait until it has gone."""
        runner = self._runners.get(key)
        if runner is None:
            return
        runner.draining = True
        self._changed()
        await runner.gone.wait()

    def rung(self, key: str) -> int:
        """The rung of the degrade ladder on which some weights are loaded."""
        return self._rungs.get(key)

    async def step_down(self, key: str, rung: int) -> int | None:
        """Remember the next rung for weights that crashed their runner; None: there is none."""
        lower = next_rung(rung)
        if lower is not None:
            self._warn("stepping down the degrade ladder", rung=lower)
            await self.remember(key, lower)
        return lower

    async def remember(self, key: str, rung: int) -> None:
        """Keep the rung of a model; a disk that is full costs the memory, not the model."""
        try:
            await self._in_thread(self._rungs.remember, key, rung)
        except (OSError, Refused) as e:
            self._warn("cannot remember the rung", error=str(e))
