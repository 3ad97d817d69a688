"""What a model is made of: files that are read, converted to GGUF, and quantized.

Those that take their time are generators, which report each step before they do it.
"""

from collections.abc import Generator, Mapping
from pathlib import Path

import attrs

from actorllm.actors.builder.checks import (
    check_adapters,
    check_matrix,
    quantization_of,
    unquantized,
    weights_of,
)
from actorllm.actors.builder.converting import convert, holds_checkpoint
from actorllm.actors.builder.facts import GgufFile, gguf_facts
from actorllm.actors.builder.holdings import Holdings
from actorllm.actors.builder.quantizing import quantize
from actorllm.actors.library.gguf import Gguf
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.building import Create, CreateStatus

__all__ = ["Extras", "converted", "extras", "read_files", "without_matrix"]

Files = tuple[GgufFile, ...]


@attrs.frozen
class Extras:
    """What a model has beside its base."""

    adapters: Files
    drafts: Files


def without_matrix(
    holdings: Holdings, paths: Mapping[str, str], create: Create
) -> tuple[Mapping[str, str], Path | None]:
    """Part the importance matrix, if there is one, from the files of a model.

    Raises:
        Refused: 400: there are several, or nothing is quantized.
    """
    gguf = sorted(filter(holdings.is_gguf, set(paths.values())))
    found = [digest for digest in gguf if _is_matrix(holdings, digest)]
    check_matrix(found, create)
    if not found:
        return paths, None
    rest = {path: digest for path, digest in paths.items() if digest != found[0]}
    return rest, holdings.path(holdings.uploaded(found[0]))


def _is_matrix(holdings: Holdings, digest: str) -> bool:
    try:
        return gguf_facts(holdings.gguf(digest)).role == "matrix"
    except Refused:
        return False  # told when it is read


def extras(
    holdings: Holdings, create: Create, weights: str
) -> Generator[CreateStatus, None, Extras]:
    """Read the adapters and drafts of a request.

    Args:
        holdings: Has them.
        create: The request.
        weights: Digest of the weights that the adapters are for; empty: there are none.
    """
    adapters, drafts = create.adapters or {}, create.drafts or {}
    base = holdings.gguf(weights) if weights and holds_checkpoint(adapters) else None
    read_adapters = (yield from read_files(holdings, adapters, "", base)) if adapters else ()
    check_adapters(read_adapters)
    kind = create.draft_quantize
    read_drafts = (yield from read_files(holdings, drafts, kind)) if drafts else ()
    return Extras(read_adapters, read_drafts)


def read_files(
    holdings: Holdings, paths: Mapping[str, str], quantize: str, base: Gguf | None = None
) -> Generator[CreateStatus, None, Files]:
    """Hold uploaded files, convert them if they are no GGUF files yet, and read their headers.

    Args:
        holdings: Has them.
        paths: Relative path to digest.
        quantize: Type that is wanted in the end.
        base: Of an adapter that is to be converted.
    """
    if holds_checkpoint(paths):
        files = yield from _convert_folder(holdings, paths, unquantized(quantize), base)
    else:
        files = []
        for spelled in dict.fromkeys(paths.values()):
            yield CreateStatus("parsing GGUF")
            files.append(holdings.file(holdings.uploaded(spelled)))
    yield CreateStatus("verifying conversion")
    return tuple(files)


def _convert_folder(
    holdings: Holdings, paths: Mapping[str, str], kind: str, base: Gguf | None
) -> Generator[CreateStatus, None, list[GgufFile]]:
    files = {name: holdings.path(holdings.uploaded(digest)) for name, digest in paths.items()}
    before = holdings.store.digests()
    stored = yield from convert(holdings.store, files, kind, base)
    return [holdings.made(one, before) for one in stored]


def converted(
    holdings: Holdings, files: Files, requested: str, matrix: Path | None = None
) -> Generator[CreateStatus, None, Files]:
    """Convert the weights among files to the type that was asked for, split ones to one file.

    Args:
        holdings: Has them, and gets what they become.
        files: Weights, and what is beside them.
        requested: Type, as the request spells it; empty: none.
        matrix: An importance matrix.

    Raises:
        Refused: 400: it cannot be made of them; or as `quantize` says.
    """
    parts = weights_of(files)
    if parts and parts[0].facts.parts > 1:
        wanted = quantization_of(requested, parts[0].facts, has_matrix=matrix is not None)
        if wanted is None:
            return files
        whole = yield from _convert(holdings, parts, wanted, matrix)
        return (whole, *(file for file in files if file not in parts))
    made = []
    for file in files:
        wanted = None
        if file.facts.role == "weights":
            wanted = quantization_of(requested, file.facts, has_matrix=matrix is not None)
        if wanted is None:
            made.append(file)
        else:
            made.append((yield from _convert(holdings, (file,), wanted, matrix)))
    return tuple(made)


def _convert(
    holdings: Holdings, parts: Files, wanted: str, matrix: Path | None
) -> Generator[CreateStatus, None, GgufFile]:
    """Convert weights, which may be split, to one file."""
    before = holdings.store.digests()
    paths = [holdings.path(part.digest) for part in parts]
    weights = attrs.evolve(parts[0], size=sum(part.size for part in parts))
    stored = yield from quantize(holdings.store, paths, weights, wanted, matrix)
    return holdings.made(stored, before)
