"""Whose turn it is: clients in a circle, each client's requests in their order.

A client with a hundred requests and one with a single request get every other turn.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Generic, TypeVar

__all__ = ["FairQueue"]

T = TypeVar("T")


class FairQueue(Generic[T]):
    """A queue of items that belong to clients."""

    def __init__(self) -> None:
        self._lanes: OrderedDict[str, deque[T]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def __iter__(self) -> Iterator[T]:
        """All items in the order in which `pop` would give them."""
        lanes = [iter(lane) for lane in self._lanes.values()]
        while lanes:
            still = []
            for lane in lanes:
                item = next(lane, None)
                if item is not None:
                    yield item
                    still.append(lane)
            lanes = still

    def push(self, client: str, item: T, *, front: bool = False) -> None:
        """Add an item at the end of its client's lane, or at its front."""
        lane = self._lanes.setdefault(client, deque())
        if front:
            lane.appendleft(item)
            self._lanes.move_to_end(client, last=False)
        else:
            lane.append(item)

    def peek(self) -> T | None:
        """The item whose turn it is; None if there is none."""
        return next(iter(self._lanes.values()))[0] if self._lanes else None

    def pop(self) -> T:
        """Take the item whose turn it is; its client goes to the end of the circle.

        Raises:
            IndexError: The queue is empty.
        """
        if not self._lanes:
            raise IndexError("nobody waits")
        client, lane = next(iter(self._lanes.items()))
        item = lane.popleft()
        if lane:
            self._lanes.move_to_end(client)
        else:
            del self._lanes[client]
        return item

    def remove(self, client: str, item: T) -> bool:
        """Take an item out of its turn. Returns whether it was there."""
        lane = self._lanes.get(client)
        if lane is None or item not in lane:
            return False
        lane.remove(item)
        if not lane:
            del self._lanes[client]
        return True
