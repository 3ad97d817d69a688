"""What the routes of embeddings and rankings share: what was cut, or could not be, is said."""

from quart import Response

from actorllm.http.errors import NOTICE
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import Embeddings
from actorllm.protocol.names import local_name

__all__ = ["check_name", "lost", "with_notice"]

_MOST_SAID = 10
"""Inputs that the notice names; how many others there are, it says, too."""


def check_name(model: str) -> None:
    """Check the name of a model before the inputs are looked at; whether it is here, comes later.

    Raises:
        Refused: It is empty, invalid, or that of a cloud model: 404, 400 or 403.
    """
    if not model.strip():
        raise Refused.because(404, f"model '{model}' not found")
    local_name(model)


def lost(found: Embeddings, index: int) -> dict[str, int]:
    """Tell how many tokens an input lost, as a key of its object; nothing if it is whole."""
    tokens = found.truncated[index] if found.truncated else 0
    return {"truncated_tokens": tokens} if tokens else {}


def with_notice(response: Response, found: Embeddings, dimensions: int = 0) -> Response:
    """Say in a header which inputs were cut, and if vectors cannot have so many dimensions."""
    cut = [(index, tokens) for index, tokens in enumerate(found.truncated) if tokens]
    said = [f"input {index} lost {tokens} tokens" for index, tokens in cut[:_MOST_SAID]]
    if len(cut) > _MOST_SAID:
        said.append(f"and {len(cut) - _MOST_SAID} more")
    has = len(found.vectors[0]) if found.vectors else 0
    if dimensions and has and dimensions != has:
        said.append(f"dimensions {dimensions} had no effect: the model's vectors have {has}")
    if said:
        response.headers[NOTICE] = "; ".join(said)
    return response
