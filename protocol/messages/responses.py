"""Answers of `/v1/responses` that are kept for a while, so that a later request can go on from them.

Ids are made by the edge and cannot be guessed: whoever knows one may read what it names.
"""

from actorllm.protocol.codec import Ask, Value, message

__all__ = ["FindResponse", "ForgetResponse", "KeepResponse", "KeptResponse", "ResponseDone"]


@message
class KeptResponse(Value):
    """An answer, and the conversation that ends with it."""

    response: bytes
    """The JSON object that the client got."""
    items: bytes
    """JSON array: all items of the conversation, those of earlier answers and of this one included."""


@message
class ResponseDone(Value):
    """It is kept, or forgotten."""


@message
class KeepResponse(Ask[ResponseDone]):
    """Keep an answer. Refused with 413 when it is too large; the oldest ones make room for it."""

    id: str
    kept: KeptResponse


@message
class FindResponse(Ask[KeptResponse]):
    """Which answer is this? Refused with 404 when it is not kept, or no longer."""

    id: str


@message
class ForgetResponse(Ask[ResponseDone]):
    """Forget an answer. Refused with 404 when it is not kept."""

    id: str
