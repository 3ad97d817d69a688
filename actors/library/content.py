"""What a model's layers say, read from their blobs. It blocks: call it from a thread."""

import attrs

from actorllm.actors.library.catalog import Catalog
from actorllm.actors.library.manifests import Installed
from actorllm.protocol.chat import ChatMessage, JsonObject
from actorllm.protocol.errors import Refused
from actorllm.protocol.layers import MAX_LAYER, LayerError, parse_messages, parse_params
from actorllm.protocol.manifest import (
    LICENSE,
    MAX_CONFIG,
    MESSAGES,
    PARAMS,
    PROMPT,
    SYSTEM,
    TEMPLATE,
    Layer,
    ManifestError,
    ModelConfig,
    parse_config,
)
from actorllm.protocol.names import Name

__all__ = ["Content", "damaged", "read_config", "read_content", "read_template"]


@attrs.frozen
class Content:
    """The small layers of a model."""

    template: str | None
    """A Go template; None: there is none."""
    system: str
    licenses: tuple[str, ...]
    params: JsonObject
    messages: tuple[ChatMessage, ...]


def read_config(catalog: Catalog, model: Installed) -> ModelConfig:
    """Read a model's config; a model without one has the defaults.

    Raises:
        Refused: The config is missing or damaged: 500.
    """
    layer = model.manifest.config
    if layer is None:
        return ModelConfig()
    try:
        return parse_config(_read(catalog, model, layer, MAX_CONFIG))
    except ManifestError as e:
        raise damaged(model.name, str(e)) from e


def read_template(catalog: Catalog, model: Installed) -> str | None:
    """Read a model's Go template, None if it has none.

    Raises:
        Refused: The layer is missing or too large: 500.
    """
    return next(reversed(_texts(catalog, model, TEMPLATE, PROMPT)), None)


def read_content(catalog: Catalog, model: Installed) -> Content:
    """Read a model's small layers.

    Raises:
        Refused: One is missing or damaged: 500.
    """
    try:
        params: JsonObject = {}
        for layer in model.manifest.of(PARAMS):
            params |= parse_params(_read(catalog, model, layer, MAX_LAYER))
        messages: tuple[ChatMessage, ...] = ()
        for layer in model.manifest.of(MESSAGES):
            messages = parse_messages(_read(catalog, model, layer, MAX_LAYER))
    except LayerError as e:
        raise damaged(model.name, str(e)) from e
    return Content(
        template=read_template(catalog, model),
        system=next(reversed(_texts(catalog, model, SYSTEM)), ""),
        licenses=tuple(_texts(catalog, model, LICENSE)),
        params=params,
        messages=messages,
    )


def damaged(name: Name, reason: str) -> Refused:
    """Return the answer to a request for a model whose files are not as they should be."""
    return Refused.because(
        500, f"model '{name.short()}' is damaged ({reason}); pull or create it again"
    )


def _texts(catalog: Catalog, model: Installed, *media_types: str) -> list[str]:
    return [
        _read(catalog, model, layer, MAX_LAYER).decode(errors="replace")
        for layer in model.manifest.of(*media_types)
    ]


def _read(catalog: Catalog, model: Installed, layer: Layer, limit: int) -> bytes:
    path = catalog.blob(layer.digest)
    what = layer.media_type.rpartition(".")[2].removesuffix("+json")
    if path is None:
        raise damaged(model.name, f"its {what} is missing")
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise damaged(model.name, f"its {what} is larger than {limit} bytes")
    return data
