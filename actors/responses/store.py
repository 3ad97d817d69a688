"""A bounded store: what was used longest ago makes room."""

from collections import OrderedDict

from actorllm.protocol.messages.responses import KeptResponse

__all__ = ["ResponseStore"]


class ResponseStore:
    """Answers in memory, by their ids.

    Args:
        most: How many are kept.
        most_bytes: Bytes of all together.
        largest: Bytes of one.
    """

    def __init__(self, *, most: int, most_bytes: int, largest: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._largest = largest
        self._kept: OrderedDict[str, KeptResponse] = OrderedDict()
        self.bytes = self.dropped = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, id_: str, kept: KeptResponse) -> bool:
        """Keep an answer and drop others for it; false if it is too large."""
        if _size(kept) > self._largest:
            return False
        self.forget(id_)
        self._kept[id_] = kept
        self.bytes += _size(kept)
        while len(self._kept) > self._most or self.bytes > self._most_bytes:
            _, dropped = self._kept.popitem(last=False)
            self.bytes -= _size(dropped)
            self.dropped += 1
        return True

    def find(self, id_: str) -> KeptResponse | None:
        """Return an answer, which counts as used."""
        kept = self._kept.get(id_)
        if kept is not None:
            self._kept.move_to_end(id_)
        return kept

    def forget(self, id_: str) -> bool:
        """Drop an answer; false if there is none."""
        kept = self._kept.pop(id_, None)
        if kept is not None:
            self.bytes -= _size(kept)
        return kept is not None


def _size(kept: KeptResponse) -> int:
    return len(kept.response) + len(kept.items)
