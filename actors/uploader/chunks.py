"""The chunks of an upload and the requests around them: pure functions."""

import hashlib
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import httpx

__all__ = ["chunk_size", "commit_url", "content_range", "resume_at"]

_LEAST: Final = 100_000_000
_MOST_CHUNKS: Final = 1000
_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,18})")


def chunk_size(size: int) -> int:
    """Return the bytes of a chunk for a blob of `size` bytes: big ones, and not too many."""
    return max(_LEAST, math.ceil(size / _MOST_CHUNKS))


def content_range(first: int, end: int) -> str:
    """Return the `Content-Range` of a chunk; the OCI form of it has no unit."""
    return f"{first}-{end - 1}"


def commit_url(url: "httpx.URL", digest: str, checksums: Sequence[bytes] | None) -> "httpx.URL":
    """Return where an upload is committed.

    Args:
        url: Of the upload.
        digest: Of the blob.
        checksums: MD5 of each chunk, for the storage behind Ollama's registry; None: not known.
    """
    url = url.copy_set_param("digest", digest)
    if checksums is None:
        return url
    whole = hashlib.md5(b"".join(checksums), usedforsecurity=False).hexdigest()
    return url.copy_set_param("etag", f"{whole}-{len(checksums)}")


def resume_at(header: str, size: int) -> int | None:
    """Read the `Range` of an upload's status: where it goes on; None: that is not said.

    `0-0` is what a registry says of an empty upload.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None:
        return None
    last = int(match[1])
    at = last + 1 if last else 0
    return at if at <= size else None
