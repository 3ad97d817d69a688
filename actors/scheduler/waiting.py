"""Who waits for which weights, and whose turn it is. Pure."""

from actorllm.actors.scheduler.fairness import FairQueue
from actorllm.actors.scheduler.runners import Waiter

__all__ = ["Waiting"]


class Waiting:
    """A fair queue for each set of weights that somebody wants."""

    def __init__(self) -> None:
        self._queues: dict[str, FairQueue[Waiter]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def __contains__(self, key: str) -> bool:
        return key in self._queues

    def push(self, waiter: Waiter) -> None:
        """Let a request wait.

        Somebody whose runner died had its turn already: it does not wait behind new requests.
        """
        queue = self._queues.setdefault(waiter.key, FairQueue())
        queue.push(waiter.request.client, waiter, front=waiter.request.suspect)

    def remove(self, waiter: Waiter) -> None:
        """Let a request go out of its turn, if it waits."""
        queue = self._queues.get(waiter.key)
        if queue is not None:
            queue.remove(waiter.request.client, waiter)
            self._tidy(waiter.key)

    def wanted(self) -> tuple[str, ...]:
        """The weights that somebody waits for."""
        return tuple(self._queues)

    def first(self, key: str) -> Waiter | None:
        """Give whose turn it is at some weights; None if nobody wants them."""
        queue = self._queues.get(key)
        return queue.peek() if queue is not None else None

    def heads(self) -> list[Waiter]:
        """Give whose turn it is at each of the weights, who has waited longest first."""
        heads = (queue.peek() for queue in self._queues.values())
        return sorted((w for w in heads if w is not None), key=lambda waiter: waiter.since)

    def take(self, key: str) -> Waiter:
        """Take out whose turn it is at some weights; there must be somebody."""
        waiter = self._queues[key].pop()
        self._tidy(key)
        return waiter

    def take_all(self, key: str) -> list[Waiter]:
        """Take out all who want some weights."""
        return list(self._queues.pop(key, ()))

    def _tidy(self, key: str) -> None:
        if not self._queues[key]:
            del self._queues[key]
