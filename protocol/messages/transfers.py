"""Pull and push: models from and to registries.

A pull or a push is a stream of the same steps as a creation. The blobs in it are carried by actors
of their own, which all who want the same blob follow.
"""

from typing import Literal

import attrs

from actorllm.protocol.codec import Ask, Stream, Value, message
from actorllm.protocol.messages.building import CreateStatus

__all__ = [
    "FollowTransfer",
    "Leftover",
    "ListPartials",
    "PartialList",
    "PartialRow",
    "Prune",
    "Pruned",
    "PublicKey",
    "Pull",
    "Push",
    "ShowKey",
    "TransferProgress",
]


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
    trouble: str = ""
    """What has gone wrong since the last item, where another try will be made."""


@message
class FollowTransfer(Stream[TransferProgress]):
    """Say how far a blob has come, until it has ended. Without followers a transfer ends."""


@message
class PartialRow:
    """An unfinished download."""

    digest: str
    model: str
    """The model that it was pulled for last; empty: not known."""
    total: int
    """Bytes."""
    completed: int
    """Bytes that a pull would not fetch again."""
    modified_at: int
    """Unix nanoseconds."""
    in_flight: bool
    """A pull goes on with it at the moment."""


@message
class PartialList(Value):
    """All unfinished downloads, the latest first."""

    partials: tuple[PartialRow, ...]


@message
class ListPartials(Ask[PartialList]):
    """Which downloads are unfinished?"""


@message
class Leftover:
    """A file that nothing needs."""

    kind: Literal["partial", "blob", "file"]
    """An unfinished download, a blob that no model refers to, or something that is no blob."""
    digest: str
    """Empty for a file."""
    size: int
    """Bytes on the disk."""


@message
class Pruned(Value):
    """What was removed."""

    removed: tuple[Leftover, ...]
    """The first thousand."""
    count: int
    freed: int
    """Bytes."""
    skipped: str = ""
    """Why nothing was removed; empty: nothing stood in the way."""


@message
class Prune(Ask[Pruned]):
    """Remove unfinished downloads that nobody goes on with, and blobs that no model refers to."""

    older_than: float = 3600.0
    """Seconds since the last change of a blob: a younger one may wait for its model."""
    dry_run: bool = False
    """Only tell what would be removed."""


@message
class PublicKey(Value):
    """The key by which registries know this installation."""

    key: str
    """One line, as in an `authorized_keys` file."""


@message
class ShowKey(Ask[PublicKey]):
    """What is the public key? Refused with 500 when its file is no key."""
