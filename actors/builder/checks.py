"""What is refused of a create request, and in which order.

    origin_of         what to build on, or that there is nothing
    check_format      whether uploaded files are of a kind that can be built on
    check_weights     whether they are one model
    quantization_of   the type to convert weights to, or that they cannot be

A user's errors are 400 here, also the few for which the original says 500.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any
from urllib.parse import urlsplit

import attrs

from actorllm.actors.builder.facts import GgufFacts, GgufFile
from actorllm.actors.builder.quantizations import QUANTIZATIONS, canonical
from actorllm.protocol.chat import JsonObject
from actorllm.protocol.creation import MAX_FILES
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.building import Create
from actorllm.protocol.modelfile import ModelfileError, check_requires
from actorllm.protocol.names import Name, parse_ref, valid_name

__all__ = [
    "CLOUD_HOST",
    "FromFiles",
    "FromModel",
    "FromRemote",
    "Origin",
    "check_adapters",
    "check_format",
    "check_info",
    "check_matrix",
    "check_weights",
    "checked_requires",
    "origin_of",
    "quantization_of",
    "unquantized",
    "weights_of",
]

CLOUD_HOST = "https://ollama.com"

_MAX_SHOWN = 60
"""Characters of a path that are repeated."""
_INFO_TEXTS = ("model_family", "base_name", "quantization_level", "parameter_size")
_INFO_NUMBERS = ("context_length", "embedding_length")
_UNQUANTIZED = {0: "F32", 1: "F16", 32: "BF16"}
"""By `general.file_type`."""


@attrs.frozen
class FromModel:
    """Build on a model of the library, which may have to be pulled."""

    name: Name


@attrs.frozen
class FromFiles:
    """Build on uploaded files: relative path to digest, which may yet be invalid."""

    files: Mapping[str, str]


@attrs.frozen
class FromRemote:
    """Make a stand-in for a model on another host."""

    host: str
    model: str


Origin = FromModel | FromFiles | FromRemote


def origin_of(create: Create) -> Origin:
    """Tell what the model is built on: `from` before files.

    Raises:
        Refused: 400: an invalid name or host, or nothing to build on.
    """
    if create.source:
        ref = parse_ref(create.source)
        if create.remote_host:
            return FromRemote(_checked_host(create.remote_host), create.source)
        name = valid_name(ref.base)
        return FromRemote(CLOUD_HOST, ref.base) if ref.is_cloud else FromModel(name)
    if create.files is not None:
        return FromFiles(create.files)
    raise Refused.because(400, "neither 'from' or 'files' was specified")


def _checked_host(text: str) -> str:
    host = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(host)
        valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid or not host.isascii() or not host.isprintable() or " " in host:
        raise Refused.because(400, "remote_host must be the URL of a server")
    return host


def check_format(files: Mapping[str, str], gguf_digests: AbstractSet[str]) -> None:
    """Check that uploaded files are safetensors or GGUF, by their names or else by their first bytes.

    Args:
        files: Relative path to digest.
        gguf_digests: Those, as spelled in `files`, whose blob begins as a GGUF file does.

    Raises:
        Refused: 400: no file of a known type. Its first words are the reference's.
    """
    if not any(
        path.endswith((".gguf", ".safetensors")) or digest in gguf_digests
        for path, digest in files.items()
    ):
        name = next(iter(files), "")[:_MAX_SHOWN]
        what = f": {name!r} is neither a GGUF file nor safetensors" if name else ""
        raise Refused.because(400, f"unknown type{what}")


def check_weights(files: Sequence[GgufFile]) -> None:
    """Check that files make one model: one with weights, or all of its parts, and any projectors.

    Raises:
        Refused: 400.
    """
    weights = weights_of(files)
    if not files:
        raise Refused.because(400, "no files provided to convert")
    parts = max((file.facts.parts for file in weights), default=1)
    if parts > 1:
        _check_parts(weights, parts)
    elif len(weights) != 1:
        problem = "none" if not weights else "more than one"
        raise Refused.because(400, f"{problem} of the files holds the weights of a model")
    if any(file.facts.role == "adapter" for file in files):
        raise Refused.because(400, "an adapter must be given as one, not as a file of the model")


def weights_of(files: Sequence[GgufFile]) -> tuple[GgufFile, ...]:
    """Return the weights among files; those that are split in order."""
    weights = (file for file in files if file.facts.role == "weights")
    return tuple(sorted(weights, key=lambda file: file.facts.part))


def _check_parts(weights: Sequence[GgufFile], parts: int) -> None:
    numbers = {file.facts.part for file in weights if file.facts.parts == parts}
    missing = [
        f"{number + 1:05d}" for number in range(min(parts, MAX_FILES)) if number not in numbers
    ]
    if missing:
        some = ", ".join(missing[:5])
        raise Refused.because(
            400, f"the weights are split into {parts} files; give all of them: {some} is missing"
        )
    if len(weights) != parts:
        raise Refused.because(400, "more than one of the files holds the weights of a model")


def check_adapters(files: Sequence[GgufFile]) -> None:
    """Check that there is at most one adapter.

    Raises:
        Refused: 400.
    """
    if len(files) > 1:
        raise Refused.because(400, "only one adapter is currently supported")


def check_matrix(matrices: Sequence[str], create: Create) -> None:
    """Check that there is one importance matrix at most, and use for it.

    Raises:
        Refused: 400.
    """
    if len(matrices) > 1:
        raise Refused.because(400, "only one importance matrix can be used")
    if matrices and not create.quantize:
        raise Refused.because(400, "an importance matrix is for quantizing; give a type with -q")


def quantization_of(requested: str, facts: GgufFacts, *, has_matrix: bool = False) -> str | None:
    """Return the type that weights must be converted to, None if they have it or none was asked.

    Raises:
        Refused: 400: an unknown type, one that cannot be made here, or weights that are quantized
            already.
    """
    if not requested:
        return None
    wanted = canonical(requested)
    kind = QUANTIZATIONS.get(wanted)
    if kind is None:
        names = ", ".join(name for name, known in QUANTIZATIONS.items() if not known.needs_matrix)
        problem = f"unsupported quantization type {wanted[:40]} - supported types are {names}"
        raise Refused.because(400, problem)
    if kind.needs_matrix and not has_matrix:
        problem = (
            f"{wanted} needs an importance matrix: give its file (imatrix.gguf) as one more FROM"
        )
        raise Refused.because(400, problem)
    have = _UNQUANTIZED.get(-1 if facts.file_type is None else facts.file_type)
    if have is None:
        problem = "quantization is only supported for F16, BF16 and F32 models"
        raise Refused.because(400, problem)
    return None if have == wanted else wanted


def unquantized(requested: str) -> str:
    """Return the type that a conversion writes at once; empty: its own, to be quantized after."""
    wanted = requested.upper()
    return wanted if wanted in _UNQUANTIZED.values() else ""


def check_info(info: JsonObject) -> None:
    """Check the types of what is said about a model.

    Raises:
        Refused: 400.
    """
    for key in _INFO_TEXTS:
        if not isinstance(info.get(key) or "", str):
            raise _bad_info(key, "a string")
    for key in _INFO_NUMBERS:
        value: Any = info.get(key, 0)
        if value is None:
            continue
        if type(value) not in {int, float}:
            raise _bad_info(key, "a number")
        if not 0 <= value < 2**31 or value != int(value):
            raise _bad_info(key, "a non-negative integer")
    words = info.get("capabilities") or []
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise _bad_info("capabilities", "an array of strings")


def _bad_info(key: str, kind: str) -> Refused:
    return Refused.because(400, f'info field "{key}" must be {kind}')


def checked_requires(version: str) -> str:
    """Return a required version, or nothing where nothing is required.

    Raises:
        Refused: 400: it is no version.
    """
    try:
        return check_requires(version) if version else ""
    except ModelfileError as e:
        raise Refused.because(400, str(e)) from None
