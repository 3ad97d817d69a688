"""Split weights on the Hugging Face Hub.

Its registry refuses repositories and tags whose GGUF files are split, but its API lists the files with
their digests, so what the registry's manifest would say can be made here. Which file is meant by a tag
is told by its name: `…-Q4_K_M-00001-of-00003.gguf`, or the folder that it is in. Pure functions.

https://huggingface.co/docs/hub/api#get-apimodelsrepo_id-or-apimodelsrepo_idrevisionrevision
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import attrs

from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import (
    CONFIG,
    MODEL,
    PROJECTOR,
    Layer,
    Manifest,
    ModelConfig,
    dump_config,
    dump_manifest,
)
from actorllm.protocol.names import digest_of

__all__ = [
    "MAX_LISTING",
    "HubFile",
    "HubModel",
    "hub_model",
    "listing_url",
    "read_listing",
    "refuses_splits",
]

MAX_LISTING: Final = 16 * 1024 * 1024
"""Bytes that are read of the list of a repository's files."""

_SPLIT: Final = re.compile(
    r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE
)
_USUAL: Final = "Q4_K_M"
"""What `latest` means where it is there."""
_TOLD: Final = 12
"""Tags that a refusal names at most."""


@attrs.frozen
class HubFile:
    """A large file of a repository."""

    path: str
    digest: str
    size: int
    """Bytes."""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0].rpartition("/")[2]


@attrs.frozen
class HubModel:
    """What a pull needs in place of a manifest from the registry."""

    manifest: bytes
    config: bytes
    """The blob of the config, which is made here."""
    urls: Mapping[str, str]
    """Where the other blobs are, by digest."""


def refuses_splits(status: int, text: str) -> bool:
    """Tell whether a registry has no manifest because the weights are split."""
    return status == 400 and "sharded gguf" in text.lower()


def listing_url(base: str, repository: str) -> str:
    """Return where the files of a repository are listed.

    Args:
        base: Scheme and host.
        repository: `user/repo`.
    """
    return f"{base}/api/models/{repository}/revision/main?blobs=true"


def read_listing(data: bytes) -> tuple[str, tuple[HubFile, ...]]:
    """Read the list of a repository: its revision, and the files that have digests.

    Raises:
        ValueError: It is no such list.
    """
    try:
        listing = json.loads(data)
        files = tuple(_file(sibling) for sibling in listing["siblings"] if sibling.get("lfs"))
        return _revision(listing["sha"]), files
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as e:
        raise ValueError("the Hub's list of files cannot be read") from e


def _revision(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{40,64}", text):
        raise ValueError("no revision")
    return text


def _file(sibling: Mapping[str, Any]) -> HubFile:
    path, digest, size = sibling["rfilename"], sibling["lfs"]["sha256"], sibling["lfs"]["size"]
    if not (isinstance(path, str) and isinstance(digest, str) and type(size) is int):
        raise TypeError("not the types of a file")
    if not (re.fullmatch("[0-9a-f]{64}", digest) and 0 < size < 1 << 60):
        raise ValueError("not the values of a file")
    return HubFile(path, f"sha256:{digest}", size)


def hub_model(
    base: str, repository: str, tag: str, revision: str, files: Sequence[HubFile]
) -> HubModel:
    """Make the model of a tag.

    Args:
        base: See `listing_url`.
        repository: `user/repo`.
        tag: Of the model's name.
        revision: Of the files.
        files: Of the repository.

    Raises:
        Refused: No split weights have this tag, or one of their files is missing: 404.
    """
    weights = _whole(_tagged(_sets(files), tag))
    projector = _projector(files)
    layers = [Layer(MODEL, file.digest, file.size) for file in weights]
    layers += [Layer(PROJECTOR, file.digest, file.size) for file in projector]
    config = dump_config(ModelConfig(model_format="gguf"))
    described = Layer(CONFIG, digest_of(config), len(config))
    resolve = f"{base}/{repository}/resolve/{revision}"
    urls = {file.digest: f"{resolve}/{quote(file.path)}" for file in (*weights, *projector)}
    return HubModel(dump_manifest(Manifest(tuple(layers), described)), config, urls)


def _sets(files: Sequence[HubFile]) -> dict[tuple[str, int], dict[int, HubFile]]:
    """Gather split files: by their path without the number, and by how many there should be."""
    sets: dict[tuple[str, int], dict[int, HubFile]] = {}
    for file in files:
        match = _SPLIT.fullmatch(file.path)
        if match is not None:
            key = match["stem"], int(match["count"])
            sets.setdefault(key, {})[int(match["number"])] = file
    return sets


def _tagged(
    sets: Mapping[tuple[str, int], Mapping[int, HubFile]], tag: str
) -> tuple[int, Mapping[int, HubFile]]:
    """Choose those of a tag; of several the one whose name says the least else."""
    wanted = _USUAL if tag == "latest" else tag
    keys = [key for key in sets if _is_tagged(next(iter(sets[key].values())), key[0], wanted)]
    if not keys and tag == "latest" and len(sets) == 1:
        keys = list(sets)
    if not keys:
        names = sorted({stem.rpartition("/")[2] for stem, _ in sets})
        known = ", ".join(names[:_TOLD]) or "none"
        raise Refused.because(
            404, f"no split weights of the repository have the tag {tag}; there are: {known}"
        )
    key = min(keys, key=lambda key: (len(key[0]), key))
    return key[1], sets[key]


def _is_tagged(file: HubFile, stem: str, tag: str) -> bool:
    name, wanted = stem.rpartition("/")[2].lower(), tag.lower()
    ends = name.endswith(wanted) and name[: -len(wanted)][-1:] in {"", "-", ".", "_"}
    return ends or wanted in {file.folder.lower(), file.name.lower()}


def _whole(found: tuple[int, Mapping[int, HubFile]]) -> list[HubFile]:
    count, numbered = found
    if sorted(numbered) != list(range(1, count + 1)):
        raise Refused.because(
            404, f"the repository has {len(numbered)} of the {count} files of these weights"
        )
    return [numbered[number] for number in range(1, count + 1)]


def _projector(files: Sequence[HubFile]) -> list[HubFile]:
    """Return the file that lets the model see, if there is one: in half precision if it may be."""
    found = [f for f in files if "mmproj" in f.name.lower() and f.name.lower().endswith(".gguf")]
    return sorted(found, key=lambda f: (not _is_half(f.name), f.path))[:1]


def _is_half(name: str) -> bool:
    return re.search(r"(?<!b)f16", name, re.IGNORECASE) is not None
