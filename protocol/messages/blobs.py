"""Content-addressed files.

An upload is a stream that its sender holds open: the first item names the upload, `WriteBlob`
appends to it, `CommitBlob` verifies the digest and makes the blob visible. Leaving the stream
before the commit discards what was written.
"""

from actorllm.protocol.codec import Ask, Stream, Value, message

__all__ = [
    "AdoptBlob",
    "BlobStat",
    "BlobStored",
    "CommitBlob",
    "FindBlob",
    "UploadBlob",
    "UploadOpened",
    "WriteBlob",
    "Written",
]


@message
class BlobStat(Value):
    """What the store knows of a digest."""

    exists: bool
    size: int = 0
    """Bytes."""


@message
class FindBlob(Ask[BlobStat]):
    """Is there a blob? Refused with 400 for a bad digest."""

    digest: str


@message
class UploadOpened(Value):
    """An upload may be written to."""

    upload: int


@message
class UploadBlob(Stream[UploadOpened]):
    """Open an upload; refused with 400 for a bad digest and 503 when too many are open."""

    digest: str


@message
class Written(Value):
    """A part was written."""

    size: int
    """Bytes of the upload so far."""


@message
class WriteBlob(Ask[Written]):
    """Append to an upload, at most 1 MiB at once; the answer is the back-pressure."""

    upload: int
    data: bytes


@message
class BlobStored(Value):
    """A blob is visible."""

    digest: str
    size: int


@message
class AdoptBlob(Ask[BlobStored]):
    """Verify a file that lies in the folder of blobs, and make it a blob.

    Whoever may put a file there may as well be its owner. Refused with 404 if there is none, 400 on a
    mismatch, 409 if it was written to meanwhile; the file is left alone.
    """

    digest: str
    name: str
    """A temporary one."""


@message
class CommitBlob(Ask[BlobStored]):
    """Verify an upload and make it visible. Refused with 400 on a mismatch; nothing is kept."""

    upload: int
