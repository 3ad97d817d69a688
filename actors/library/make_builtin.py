"""Make the store of the model that comes with the package, from a GGUF file.

    python -m actorllm.actors.library.make_builtin GGUF [--name NAME] [--root FOLDER]

The folder has Ollama's layout: blobs and one manifest. It is package data, read and never written.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from actorllm.actors.blobs.store import OWN_FOLDER, BlobStore
from actorllm.actors.library.catalog import BUILTIN_ROOT
from actorllm.actors.library.details import config_of
from actorllm.actors.library.facts import weights_facts
from actorllm.actors.library.gguf import GgufError, read_gguf
from actorllm.actors.library.manifests import ManifestFolder
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import (
    CONFIG,
    MODEL,
    Layer,
    Manifest,
    dump_config,
    dump_manifest,
)
from actorllm.protocol.names import valid_name

__all__ = ["main", "make_builtin"]


def make_builtin(gguf: Path, name: str, root: Path) -> None:
    """Write a store that holds one model.

    Raises:
        GgufError: The file is no GGUF file.
        Refused: The name is not valid.
        OSError: A file cannot be read or written.
    """
    parsed = valid_name(name)
    config = config_of(weights_facts(read_gguf(gguf)))
    store = BlobStore(root)
    weights = store.import_file(gguf)
    described = store.put(dump_config(config))
    manifest = Manifest(
        layers=(Layer(MODEL, weights.digest, weights.size),),
        config=Layer(CONFIG, described.digest, described.size),
    )
    ManifestFolder(root).write(parsed, dump_manifest(manifest))
    shutil.rmtree(root / OWN_FOLDER)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; return its exit status."""
    parser = argparse.ArgumentParser(description="Make the store of the built-in model.")
    parser.add_argument("gguf", type=Path, help="the model's file")
    parser.add_argument("--name", default="seedling", help="the model's name")
    parser.add_argument("--root", type=Path, default=BUILTIN_ROOT, help="the folder to fill")
    given = parser.parse_args(arguments)
    try:
        make_builtin(given.gguf, given.name, given.root)
    except (GgufError, Refused, OSError) as e:
        sys.stderr.write(f"{given.gguf}: {e}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
