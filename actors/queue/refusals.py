"""Refusals that are not about a request: the daemon is busy, or a part of it does not answer."""

from actorllm.protocol.errors import Refused

__all__ = ["BUSY", "UNANSWERED", "busy", "unanswered"]

BUSY = "server busy, please try again.  maximum pending requests exceeded"
"""What clients of the protocol expect to read with a 503."""
UNANSWERED = "a part of the server did not answer, please try again"
"""What clients read, with a 503, when the daemon itself is in trouble."""

_BUSY_SECONDS = 2
_UNANSWERED_SECONDS = 1


def busy() -> Refused:
    """Refuse since too many requests wait already."""
    return Refused.because(503, BUSY, retry_after=_BUSY_SECONDS)


def unanswered() -> Refused:
    """Refuse since another actor is dead or silent for too long: the client may try again."""
    return Refused.because(503, UNANSWERED, retry_after=_UNANSWERED_SECONDS)
