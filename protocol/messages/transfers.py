"""Pull and push: models from and to registries.

A pull or a push is a stream of the same steps as a creation. The blobs in it are carried by actors
of their own, which all who want the same blob follow.
"""

import attrs

from actorllm.protocol.codec import Stream, Value, message
from actorllm.protocol.messages.building import CreateStatus

__all__ = ["FollowTransfer", "Pull", "Push", "TransferProgress"]


@message
class Pull(Stream[CreateStatus]):
    """Bring a model from a registry. Refused with 400 by its name, before the first item.

    Leaving the stream keeps what has come, for the next time.
    """

    model: str
    """Name as the client wrote it, without a suffix for the cloud."""
    insecure: bool = False
    """Speak plain HTTP."""
    username: str = attrs.field(default="", repr=False)
    password: str = attrs.field(default="", repr=False)


@message
class Push(Stream[CreateStatus]):
    """Bring a model to a registry."""

    model: str
    insecure: bool = False
    username: str = attrs.field(default="", repr=False)
    password: str = attrs.field(default="", repr=False)


@message
class TransferProgress(Value):
    """How far a blob has come."""

    total: int
    """Bytes."""
    completed: int
    """Bytes."""
    found: str | None = None
    """Digest of what has come, in the last item; if it is another than was wanted, nothing is
    kept."""


@message
class FollowTransfer(Stream[TransferProgress]):
    """Say how far a blob has come, until it has ended. Without followers a transfer ends."""
