"""The plan of a creation: which layers the new model has, and its config.

Order of the layers: those of the base (weights, projectors, adapter, draft), then template, system,
licences, parameters, messages. Built on a model, its layers are kept; template, system and messages
of the request replace its own, licences are added, parameters are merged key by key.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs

from actorllm.actors.builder.checks import (
    FromRemote,
    check_info,
    checked_requires,
    weights_of,
)
from actorllm.actors.builder.facts import GgufFacts, GgufFile
from actorllm.actors.library.details import human_number
from actorllm.protocol import manifest as media
from actorllm.protocol.chat import JsonObject
from actorllm.protocol.codec import evolve
from actorllm.protocol.errors import Refused
from actorllm.protocol.layers import dump_messages, dump_params
from actorllm.protocol.manifest import Layer, Manifest, ModelConfig, dump_config
from actorllm.protocol.messages.building import Create
from actorllm.protocol.names import Name, digest_of, parse_name
from actorllm.protocol.version import unmet

__all__ = [
    "Base",
    "Plan",
    "PlannedLayer",
    "TemplateCheck",
    "layer_status",
    "plan_from",
    "plan_of_files",
    "plan_remote",
]

TemplateCheck = Callable[[str], str | None]
"""Says what is wrong with a Go template; None: nothing."""

_GEMMA_STOP: JsonObject = {"stop": ["<turn|>"]}


@attrs.frozen
class PlannedLayer:
    """A layer of the new model."""

    layer: Layer
    data: bytes | None = None
    """What to store; None: the blob is there already."""


@attrs.frozen
class Plan:
    """Everything that is to be written."""

    layers: tuple[PlannedLayer, ...]
    config: PlannedLayer

    def manifest(self) -> Manifest:
        """Return the manifest to write when all blobs are stored."""
        return Manifest(tuple(planned.layer for planned in self.layers), self.config.layer)


@attrs.frozen
class Base:
    """A model that another one is built on."""

    name: Name
    manifest: Manifest
    config: ModelConfig
    params: JsonObject
    """Content of its layer of parameters."""


def layer_status(layer: Layer, *, existed: bool) -> str:
    """Return the line that reports a layer."""
    return f"{'using existing' if existed else 'creating new'} layer {layer.digest}"


def plan_from(
    create: Create,
    base: Base,
    check: TemplateCheck,
    *,
    weights: GgufFile | None = None,
    adapters: Sequence[GgufFile] = (),
    drafts: Sequence[GgufFile] = (),
) -> Plan:
    """Plan a model that is built on another one.

    Args:
        create: The request.
        base: The other model.
        check: Checks the request's template.
        weights: What the base's weights were quantized to.
        adapters: Files to add.
        drafts: Files in place of the base's draft.

    Raises:
        Refused: 400.
    """
    params = {**base.params, **create.parameters}
    replaced = {
        media.PARAMS: bool(params),  # written anew behind what is added
        media.TEMPLATE: bool(create.template),
        media.PROMPT: bool(create.template),
        media.SYSTEM: bool(create.system),
        media.MESSAGES: bool(create.messages),
        media.DRAFT: bool(drafts),
    }
    short = base.name.short()
    kept = [
        PlannedLayer(_taken_from(layer, short))
        for layer in base.manifest.layers
        if not replaced.get(layer.media_type, False)
    ]
    config = base.config
    if weights is not None:
        kept = _requantized(kept, weights, short)
        config = _changed(config, file_type=weights.facts.quantization)
    layers = [*kept, *_files(adapters, media.ADAPTER), *_files(drafts, media.DRAFT)]
    return _plan(create, check, layers, config, params)


def plan_of_files(
    create: Create,
    files: Sequence[GgufFile],
    check: TemplateCheck,
    *,
    adapters: Sequence[GgufFile] = (),
    drafts: Sequence[GgufFile] = (),
) -> Plan:
    """Plan a model that is built on files, after any quantization.

    Raises:
        Refused: 400.
    """
    weights = weights_of(files)
    projectors = [file for file in files if file.facts.role == "projector"]
    config = _config_of(weights[0].facts)
    if len(weights) > 1:
        count = sum(file.facts.parameter_count for file in weights)
        config = _changed(config, model_type=human_number(count))
    params = dict(create.parameters)
    family = _family_defaults(config.model_family)
    if family is not None and not create.template:
        config = _changed(config, renderer=family, parser=family)
        if family == "gemma4":
            params = {**_GEMMA_STOP, **params}
    layers = [
        *_files(weights, media.MODEL),
        *_files(projectors, media.PROJECTOR),
        *_files(adapters, media.ADAPTER),
        *_files(drafts, media.DRAFT),
    ]
    return _plan(create, check, layers, config, params)


def plan_remote(create: Create, remote: FromRemote, check: TemplateCheck) -> Plan:
    """Plan a stand-in for a model on another host.

    Raises:
        Refused: 400.
    """
    config = ModelConfig(remote_host=remote.host, remote_model=remote.model)
    return _plan(create, check, [], config, dict(create.parameters))


def _plan(
    create: Create,
    check: TemplateCheck,
    base: Sequence[PlannedLayer],
    config: ModelConfig,
    params: JsonObject,
) -> Plan:
    problem = check(create.template) if create.template else None
    if problem is not None:
        raise Refused.because(400, f"template error: {problem}")
    check_info(create.info)
    known = {planned.layer.digest for planned in base}
    licenses = [_text(media.LICENSE, text) for text in create.license if text]
    added = [
        *([_text(media.TEMPLATE, create.template)] if create.template else ()),
        *([_text(media.SYSTEM, create.system)] if create.system else ()),
        *(planned for planned in licenses if planned.layer.digest not in known),
        *([_blob(media.PARAMS, dump_params(params))] if params else ()),
        *([_blob(media.MESSAGES, dump_messages(create.messages))] if create.messages else ()),
    ]
    told = {
        "renderer": create.renderer,
        "parser": create.parser,
        "requires": checked_requires(create.requires),
        **_told_by(create.info, config),
    }
    config = _changed(config, **{key: value for key, value in told.items() if value})
    problem = unmet(config.requires)
    if problem is not None:
        raise Refused.because(400, f"model '{parse_name(create.model).short()}' {problem}")
    return Plan((*base, *added), _blob(media.CONFIG, dump_config(config)))


def _told_by(info: JsonObject, config: ModelConfig) -> JsonObject:
    """Return the fields of the config that checked `info` sets; its family is the first of all."""
    family = info.get("model_family")
    return {
        "model_family": family,
        "model_families": (family, *config.model_families) if family else (),
        "base_name": info.get("base_name"),
        "file_type": info.get("quantization_level"),
        "model_type": info.get("parameter_size"),
        "context_length": int(info.get("context_length") or 0),
        "embedding_length": int(info.get("embedding_length") or 0),
        "capabilities": tuple(info.get("capabilities") or ()),
    }


def _changed(config: ModelConfig, **changes: Any) -> ModelConfig:
    # Type checkers do not see that @message makes an attrs class.
    return evolve(config, **changes)


def _config_of(weights: GgufFacts) -> ModelConfig:
    """Describe weights; what is beside them, such as a projector, has no part in the families."""
    family = weights.architecture
    return ModelConfig(
        model_format="gguf",
        model_family=family,
        model_families=(family,) if family else (),
        model_type=weights.parameter_size,
        file_type=weights.quantization,
    )


def _family_defaults(architecture: str) -> str | None:
    """Return the renderer, and parser, of families that have one instead of a template."""
    if architecture in {"gemma4", "laguna"}:
        return architecture
    return "nemotron-3-nano" if architecture.startswith("nemotron_h") else None


def _taken_from(layer: Layer, source: str) -> Layer:
    return Layer(layer.media_type, layer.digest, layer.size, source, layer.name)


def _requantized(
    layers: Sequence[PlannedLayer], weights: GgufFile, source: str
) -> list[PlannedLayer]:
    """Put the new weights in place of the old ones, which may be split."""
    new = PlannedLayer(Layer(media.MODEL, weights.digest, weights.size, source))
    return [new, *(old for old in layers if old.layer.media_type != media.MODEL)]


def _files(files: Iterable[GgufFile], media_type: str) -> list[PlannedLayer]:
    return [PlannedLayer(Layer(media_type, file.digest, file.size)) for file in files]


def _text(media_type: str, text: str) -> PlannedLayer:
    return _blob(media_type, text.encode())


def _blob(media_type: str, data: bytes) -> PlannedLayer:
    return PlannedLayer(Layer(media_type, digest_of(data), len(data)), data)
