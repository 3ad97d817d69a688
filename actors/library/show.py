"""Everything that show says of a model. It blocks: call it from a thread."""

import json
import math
import struct
from collections.abc import Sequence
from typing import Any, Final

from actorllm.actors.library.details import model_info
from actorllm.actors.library.facts import CHAT_TEMPLATE
from actorllm.actors.library.gguf import ArrayAt, Gguf
from actorllm.actors.library.opened import OpenModel
from actorllm.protocol.chat import JsonObject
from actorllm.protocol.messages.models import ModelDetails, ShowModel, TensorInfo
from actorllm.protocol.modelfile_text import ShownModel, shown_modelfile

__all__ = ["DEFAULT_TEMPLATE", "model_details", "parameters_text"]

DEFAULT_TEMPLATE: Final = "{{ .Prompt }}"
"""The Go template of a model that has none."""

_HIDDEN: Final = frozenset(("general.name", CHAT_TEMPLATE))
_MAX_VERBOSE: Final = 32 * 1024 * 1024
"""Most bytes of text in a verbose answer; arrays beyond are None, as in a short one."""


def model_details(model: OpenModel, ask: ShowModel) -> ModelDetails:
    """Collect the answer to a request to show a model.

    Raises:
        Refused: The model is damaged: 500.
    """
    content, config, weights = model.content, model.config, model.weights
    files = () if weights is None else (weights, *model.splits)
    headers = [model.header(file) for file in files]
    asked = {key: value for key, value in ask.options.items() if value is not None}
    system = ask.system or content.system
    name = model.found.name.short()
    modelfile = ShownModel(
        name=name,
        model=name if weights is None else weights.path,
        adapters=[blob.path for blob in model.adapters],
        drafts=[blob.path for blob in model.drafts],
        projectors=[blob.path for blob in model.projectors],
        template=content.template or DEFAULT_TEMPLATE,
        system=system,
        renderer=config.renderer,
        parser=config.parser,
        parameters=content.params | asked,
        licenses=content.licenses,
        messages=content.messages,
    )
    projector = model.header(model.projectors[0]) if model.projectors else None
    return ModelDetails(
        name=name,
        license="\n".join(content.licenses),
        modelfile=shown_modelfile(modelfile),
        parameters=parameters_text(content.params),
        template=_template(model),
        system=system,
        details=model_info(config, model.facts, parent=model.parent),
        messages=content.messages,
        model_info=_weights_shown(headers, verbose=ask.verbose),
        projector_info={} if projector is None else _metadata_shown(projector, verbose=ask.verbose),
        tensors=tuple(tensor for file in headers for tensor in _tensors(file)),
        capabilities=model.capabilities(),
        modified_at=model.found.modified,
        requires=config.requires,
    )


def _weights_shown(headers: Sequence[Gguf], *, verbose: bool) -> JsonObject:
    """Return the metadata of weights; the first of several files describes the model."""
    if not headers:
        return {}
    count = sum(header.parameter_count for header in headers)
    return _metadata_shown(headers[0], verbose=verbose) | {"general.parameter_count": count}


def _template(model: OpenModel) -> str:
    """Return the template that makes the prompts."""
    if model.choice.native and model.chat_template:
        return model.chat_template
    return model.template or DEFAULT_TEMPLATE


def parameters_text(params: JsonObject) -> str:
    """Write parameters as lines of a name, padded to 30 characters, and a value.

    Strings are quoted; a list takes a line for each item. Whole numbers are plain digits. Null is
    `<nil>`, as the reference has it.
    """
    lines = []
    for key, value in params.items():
        items = value if isinstance(value, list | tuple) else [value]
        lines += [f"{key:<30} {_shown(item)}" for item in items]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if value is None:
        return "<nil>"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(float(value))
    return json.dumps(value, ensure_ascii=False)


def _metadata_shown(gguf: Gguf, *, verbose: bool) -> JsonObject:
    """Return a header's metadata for JSON: keys sorted, arrays decoded only if that is wanted."""
    values: JsonObject = {"general.parameter_count": gguf.parameter_count}
    room = _MAX_VERBOSE if verbose else 0
    for key, value in gguf.metadata.items():
        if key in _HIDDEN:
            continue
        if not isinstance(value, ArrayAt):
            values[key] = _plain(value)
            continue
        values[key] = None
        if verbose:
            array = [_plain(item) for item in gguf.array(key)]
            room -= sum(len(item) + 8 if isinstance(item, str) else 8 for item in array)
            values[key] = array if room >= 0 else None
    return dict(sorted(values.items()))


def _plain(value: Any) -> Any:
    """Make JSON of a value: floats get the digits of a float32, what is not finite is None."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, float):
        return value
    return _shortest(value) if math.isfinite(value) else None


def _shortest(value: float) -> float:
    """Return the double of the shortest text that reads back as the same float32.

    0.1 is stored as 0.10000000149011612; a value that is no float32 stays as it is.
    """
    if abs(value) > 3.4028234663852886e38 or _float32(value) != value:
        return value
    for digits in range(6, 10):
        short = float(f"{value:.{digits}g}")
        if abs(short) <= 3.4028234663852886e38 and _float32(short) == value:
            return short
    return value


def _float32(value: float) -> float:
    rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return rounded


def _tensors(gguf: Gguf) -> tuple[TensorInfo, ...]:
    """Return the table of tensors, in the order of the file."""
    return tuple(TensorInfo(t.name, t.type, t.shape) for t in gguf.tensors)
