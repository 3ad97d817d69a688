"""Manifests that a stranger has made: those of registries and of archives."""

from typing import Final

from actorllm.protocol.manifest import Manifest, ManifestError, parse_manifest

__all__ = ["check_manifest"]

_MAX_LAYERS: Final = 16384


def check_manifest(data: bytes, max_blob: int) -> Manifest:
    """Read a manifest.

    Args:
        data: Its bytes.
        max_blob: Bytes that a blob may have.

    Raises:
        ManifestError: It is no manifest, or one that makes no sense.
    """
    manifest = parse_manifest(data)
    layers = manifest.blobs()
    if not layers:
        raise ManifestError("manifest without layers")
    if len(layers) > _MAX_LAYERS:
        raise ManifestError(f"manifest with more than {_MAX_LAYERS} layers")
    sizes: dict[str, int] = {}
    for layer in layers:
        if layer.size > max_blob:
            raise ManifestError(f"layer of {layer.size} bytes; at most {max_blob} are allowed")
        if sizes.setdefault(layer.digest, layer.size) != layer.size:
            raise ManifestError(f"two sizes for {layer.digest}")
    return manifest
