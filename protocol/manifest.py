"""Manifests: which blobs make up a model, and the config blob among them.

Both are JSON files of other people, pulled from registries: what is read here has a bounded size,
exact types and digests that were checked. Unknown keys are ignored, null means absent. What was
pulled is kept byte for byte; only what we build is written by `dump_manifest`.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from actorllm.protocol.chat import JsonObject
from actorllm.protocol.codec import message
from actorllm.protocol.errors import Refused
from actorllm.protocol.gojson import JsonError, dumps, loads
from actorllm.protocol.names import parse_digest

__all__ = [
    "ADAPTER",
    "CONFIG",
    "DRAFT",
    "LICENSE",
    "MANIFEST",
    "MAX_CONFIG",
    "MAX_MANIFEST",
    "MESSAGES",
    "MODEL",
    "PARAMS",
    "PROJECTOR",
    "PROMPT",
    "SYSTEM",
    "TEMPLATE",
    "Layer",
    "Manifest",
    "ManifestError",
    "ModelConfig",
    "dump_config",
    "dump_manifest",
    "model_id",
    "parse_config",
    "parse_manifest",
]

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
MODEL = "application/vnd.ollama.image.model"
PROJECTOR = "application/vnd.ollama.image.projector"
ADAPTER = "application/vnd.ollama.image.adapter"
DRAFT = "application/vnd.ollama.image.draft"
TEMPLATE = "application/vnd.ollama.image.template"
PROMPT = "application/vnd.ollama.image.prompt"
"""The name that templates had once."""
SYSTEM = "application/vnd.ollama.image.system"
LICENSE = "application/vnd.ollama.image.license"
PARAMS = "application/vnd.ollama.image.params"
MESSAGES = "application/vnd.ollama.image.messages"

MAX_MANIFEST = 4 * 1024 * 1024
"""Largest manifest that is read, in bytes; a model of safetensors has a layer for each tensor."""
MAX_CONFIG = 1024 * 1024
"""Largest config blob that is read, in bytes."""

_MAX_SIZE = 2**63 - 1

T = TypeVar("T")
D = TypeVar("D")


class ManifestError(ValueError):
    """A file that is no manifest or no config of ours."""


@message
class Layer:
    """A blob's role in a model."""

    media_type: str
    digest: str
    """In normal form."""
    size: int
    """Bytes."""
    source: str = ""
    """Short name of the model that the layer was taken from; `from` in the file."""
    name: str = ""
    """Name of a tensor or file; only in models of safetensors."""


@message
class Manifest:
    """The layers of a model, in the order of the file."""

    layers: tuple[Layer, ...]
    config: Layer | None = None
    media_type: str = MANIFEST

    @property
    def size(self) -> int:
        """Bytes of all layers and the config."""
        return sum(layer.size for layer in self.blobs())

    def blobs(self) -> tuple[Layer, ...]:
        """Return everything that the manifest refers to: the layers, then the config."""
        return self.layers if self.config is None else (*self.layers, self.config)

    def of(self, *media_types: str) -> tuple[Layer, ...]:
        """Return the layers of these types, in order."""
        return tuple(layer for layer in self.layers if layer.media_type in media_types)


@message
class ModelConfig:
    """The config blob: what lists show of a model, and how its prompts are made."""

    model_format: str = ""
    """`gguf` or `safetensors`; empty: gguf."""
    model_family: str = ""
    model_families: tuple[str, ...] = ()
    model_type: str = ""
    """Number of parameters for people, like `8.0B`."""
    file_type: str = ""
    """Quantization, like `Q4_K_M`."""
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    """Least version of the server."""
    remote_host: str = ""
    remote_model: str = ""
    capabilities: tuple[str, ...] = ()
    context_length: int = 0
    embedding_length: int = 0
    base_name: str = ""
    draft: JsonObject | None = None
    architecture: str = "amd64"
    """With `os`, what registries of images want to see; says nothing."""
    os: str = "linux"


def model_id(manifest: bytes) -> str:
    """Return the id of a model: SHA-256 of its manifest's file, 64 hex digits."""
    return hashlib.sha256(manifest).hexdigest()


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        ManifestError: It is too large, no JSON, of wrong types, or holds a bad digest.
    """
    fields = _object(_decode(data, MAX_MANIFEST, "manifest"), "manifest")
    version = _get(fields, "schemaVersion", _integer, 2)
    if version != 2:
        raise ManifestError(f"unsupported manifest: schemaVersion {version}")
    config = _get(fields, "config", _layer, None)
    layers = _get(fields, "layers", _layers, None) or ()
    return Manifest(layers, config, _get(fields, "mediaType", _string, MANIFEST))


def dump_manifest(manifest: Manifest) -> bytes:
    """Write a manifest's file."""
    config = None if manifest.config is None else _layer_fields(manifest.config)
    return _line(
        {
            "schemaVersion": 2,
            "mediaType": manifest.media_type,
            "config": config,
            "layers": [_layer_fields(layer) for layer in manifest.layers],
        }
    )


def parse_config(data: bytes) -> ModelConfig:
    """Read a config blob.

    Raises:
        ManifestError: It is too large, no JSON, or of wrong types.
    """
    fields = _object(_decode(data, MAX_CONFIG, "config"), "config")
    values = {key: _get(fields, key, read, None) for key, read in _CONFIG_FIELDS.items()}
    return ModelConfig(**{key: value for key, value in values.items() if value is not None})


def dump_config(config: ModelConfig) -> bytes:
    """Write a config blob. Its first five keys and the last two are always there."""
    values = {key: getattr(config, key) for key in _CONFIG_FIELDS}
    written = {key: value for key, value in values.items() if value or key in _CONFIG_ALWAYS}
    if not config.model_families:
        written["model_families"] = None
    return _line(written)


def _line(fields: JsonObject) -> bytes:
    return dumps(fields) + b"\n"


def _layer_fields(layer: Layer) -> JsonObject:
    fields: JsonObject = {
        "mediaType": layer.media_type,
        "digest": layer.digest,
        "size": layer.size,
    }
    if layer.source:
        fields["from"] = layer.source
    if layer.name:
        fields["name"] = layer.name
    return fields


def _decode(data: bytes, limit: int, what: str) -> Any:
    if len(data) > limit:
        raise ManifestError(f"{what} of {len(data)} bytes is larger than {limit}")
    try:
        return loads(data)
    except (JsonError, OverflowError) as e:
        raise ManifestError(f"{what} is not valid JSON") from e


def _get(fields: Mapping[str, Any], key: str, read: Callable[[Any, str], T], default: D) -> T | D:
    value = fields.get(key)
    return default if value is None else read(value, key)


def _wrong(what: str, kind: str) -> ManifestError:
    return ManifestError(f"{what} must be {kind}")


def _object(value: Any, what: str) -> JsonObject:
    if not isinstance(value, dict):
        raise _wrong(what, "an object")
    return value


def _string(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise _wrong(what, "a string")
    return value


def _integer(value: Any, what: str) -> int:
    if type(value) is not int or not 0 <= value <= _MAX_SIZE:
        raise _wrong(what, "an integer that is not negative")
    return value


def _strings(value: Any, what: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _wrong(what, "an array of strings")
    return tuple(_string(item, what) for item in value)


def _layers(value: Any, what: str) -> tuple[Layer, ...]:
    if not isinstance(value, list):
        raise _wrong(what, "an array")
    return tuple(_layer(item, "layer") for item in value)


def _layer(value: Any, what: str) -> Layer:
    fields = _object(value, what)
    try:
        digest = parse_digest(_get(fields, "digest", _string, ""))
    except Refused as e:
        raise ManifestError(f"{what}: {e}") from e
    return Layer(
        media_type=_get(fields, "mediaType", _string, ""),
        digest=digest,
        size=_get(fields, "size", _integer, 0),
        source=_get(fields, "from", _string, ""),
        name=_get(fields, "name", _string, ""),
    )


_CONFIG_FIELDS: dict[str, Callable[[Any, str], Any]] = {
    "model_format": _string,
    "model_family": _string,
    "model_families": _strings,
    "model_type": _string,
    "file_type": _string,
    "renderer": _string,
    "parser": _string,
    "requires": _string,
    "remote_host": _string,
    "remote_model": _string,
    "capabilities": _strings,
    "context_length": _integer,
    "embedding_length": _integer,
    "base_name": _string,
    "draft": _object,
    "architecture": _string,
    "os": _string,
}
_CONFIG_ALWAYS = {*list(_CONFIG_FIELDS)[:5], *list(_CONFIG_FIELDS)[-2:]}
