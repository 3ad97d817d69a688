"""What the routes of embeddings and rankings share: inputs that were cut are said."""

from quart import Response

from actorllm.http.errors import NOTICE
from actorllm.protocol.messages.generation import Embeddings

__all__ = ["lost", "with_notice"]

_MOST_SAID = 10
"""Inputs that the notice names; how many others there are, it says, too."""


def lost(found: Embeddings, index: int) -> dict[str, int]:
    """Tell how many tokens an input lost, as a key of its object; nothing if it is whole."""
    tokens = found.truncated[index] if found.truncated else 0
    return {"truncated_tokens": tokens} if tokens else {}


def with_notice(response: Response, found: Embeddings) -> Response:
    """Say in a header which inputs were cut."""
    cut = [(index, tokens) for index, tokens in enumerate(found.truncated) if tokens]
    if cut:
        said = [f"input {index} lost {tokens} tokens" for index, tokens in cut[:_MOST_SAID]]
        if len(cut) > _MOST_SAID:
            said.append(f"and {len(cut) - _MOST_SAID} more")
        response.headers[NOTICE] = "; ".join(said)
    return response
