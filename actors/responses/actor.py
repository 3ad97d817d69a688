"""Keeps answers of `/v1/responses` in memory; a restart of the daemon forgets them."""

from collections.abc import Mapping
from typing import Any

from actorllm.actors.kernel import Actor
from actorllm.actors.responses.store import ResponseStore
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.responses import (
    FindResponse,
    ForgetResponse,
    KeepResponse,
    KeptResponse,
    ResponseDone,
)

__all__ = ["Responses"]

MOST_RESPONSES = 1000
MOST_BYTES = 64 << 20
"""Of all answers and their conversations."""
LARGEST = 8 << 20
"""Bytes of one answer with its conversation."""


class Responses(Actor):
    """Keeps, finds and forgets answers."""

    def __init__(self) -> None:
        self._store = ResponseStore(most=MOST_RESPONSES, most_bytes=MOST_BYTES, largest=LARGEST)

    async def keep(self, m: KeepResponse) -> ResponseDone:
        if not self._store.keep(m.id, m.kept):
            raise Refused.because(413, f"it has more than {LARGEST} bytes")
        return ResponseDone()

    async def find(self, m: FindResponse) -> KeptResponse:
        kept = self._store.find(m.id)
        if kept is None:
            raise self._absent(m.id)
        return kept

    async def forget(self, m: ForgetResponse) -> ResponseDone:
        if not self._store.forget(m.id):
            raise self._absent(m.id)
        return ResponseDone()

    def _absent(self, id_: str) -> Refused:
        return Refused.because(
            404,
            f"response '{id_[:100]}' is not kept, or no longer: the last {MOST_RESPONSES} are, "
            "until a restart; send the conversation as input",
        )

    def info(self) -> Mapping[str, Any]:
        store = self._store
        return {"kept": len(store), "bytes": store.bytes, "dropped": store.dropped}
