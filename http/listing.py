"""The list of models in the words of a dialect, written anew only when it has changed."""

from collections.abc import Callable, Sequence
from typing import Any

import attrs
from quart_trio.wrappers import TrioResponse

from actorllm.http.edge import Edge
from actorllm.protocol.gojson import dumps
from actorllm.protocol.messages.models import ListModels, ModelRow

__all__ = ["Listing"]


@attrs.frozen
class _Written:
    version: str = ""
    """Of the list; empty: it has none, and is asked for again."""
    body: bytes = b""


class Listing:
    """Lists models.

    Args:
        edge: What routes need.
        write: Makes the object of the answer from the rows.
        content_type: Of the answer.
    """

    def __init__(
        self, edge: Edge, write: Callable[[Sequence[ModelRow]], Any], content_type: str
    ) -> None:
        self._edge = edge
        self._write = write
        self._content_type = content_type
        self._last = _Written()

    async def response(self) -> TrioResponse:
        """Answer with the models that are there now."""
        written = self._last
        listed = await self._edge.ask("/library", ListModels(written.version))
        if not written.version or listed.version != written.version:
            written = _Written(listed.version, dumps(self._write(listed.models)))
            self._last = written
        return TrioResponse(written.body, content_type=self._content_type)
