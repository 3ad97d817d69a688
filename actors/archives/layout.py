"""What an archive of models holds: pure functions.

    oci-layout              that it is one
    index.json              its models: digest and size of each manifest, with the model's name
    blobs/sha256/<hex>      manifests, configs and layers

It is the image layout of the OCI image specification (version 1.0), so other tools for such archives
read it: each manifest is there as the registry would serve it.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

import attrs

from actorllm.protocol.errors import Refused
from actorllm.protocol.names import Name, parse_digest, parse_name

__all__ = [
    "INDEX",
    "LAYOUT",
    "MAX_INDEX",
    "VERSION",
    "PackedModel",
    "blob_digest",
    "blob_name",
    "dump_index",
    "parse_index",
]

INDEX: Final = "index.json"
LAYOUT: Final = "oci-layout"
VERSION: Final = b'{"imageLayoutVersion":"1.0.0"}'
MAX_INDEX: Final = 1024 * 1024
"""Bytes of an index."""

_MAX_MODELS: Final = 1024
_NAME: Final = "org.opencontainers.image.ref.name"
_INDEX_TYPE: Final = "application/vnd.oci.image.index.v1+json"
_BLOB = re.compile(r"(?:\./)?blobs/sha256/([0-9a-f]{64})")


@attrs.frozen
class PackedModel:
    """A model in an archive."""

    name: Name
    digest: str
    """Of its manifest."""
    size: int
    """Bytes of its manifest."""
    media_type: str = ""


def blob_name(digest: str) -> str:
    """Return where a blob lies in an archive."""
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def blob_digest(name: str) -> str | None:
    """Return the digest of the blob at a place in an archive; None: there is none of ours."""
    match = _BLOB.fullmatch(name)
    return None if match is None else f"sha256:{match[1]}"


def dump_index(models: Sequence[PackedModel]) -> bytes:
    """Write the index."""
    manifests = [
        {
            "mediaType": model.media_type,
            "digest": model.digest,
            "size": model.size,
            "annotations": {_NAME: model.name.full()},
        }
        for model in models
    ]
    index = {"schemaVersion": 2, "mediaType": _INDEX_TYPE, "manifests": manifests}
    return json.dumps(index, separators=(",", ":")).encode()


def parse_index(data: bytes) -> tuple[PackedModel, ...]:
    """Read the index.

    Raises:
        Refused: It makes no sense, or names no model: 400.
    """
    try:
        rows = json.loads(data)["manifests"]
        models = tuple(_model(row) for row in rows[: _MAX_MODELS + 1])
    except (ValueError, TypeError, KeyError, RecursionError) as e:
        raise Refused.because(400, "the archive's index cannot be read") from e
    if not 0 < len(models) <= _MAX_MODELS:
        raise Refused.because(400, f"the archive must hold 1 to {_MAX_MODELS} models")
    return models


def _model(row: Any) -> PackedModel:
    name = parse_name(str((row.get("annotations") or {}).get(_NAME, "")))
    size = row["size"]
    if type(size) is not int or size < 0:
        raise TypeError("a size is a number")
    return PackedModel(name, parse_digest(row["digest"]), size, str(row.get("mediaType", "")))
