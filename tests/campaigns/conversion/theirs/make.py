"""Makes checkpoints, with what transformers computes from them.

    python make.py FOLDER NAME...

Runs in an environment of its own, which has transformers and torch. Each name gets a folder
FOLDER/NAME as transformers saves it, and FOLDER/NAME.json with texts, their tokens, and logits or
embeddings. A name that is a path is a real checkpoint: it is taken as it is.
"""

import json
import sys
from copy import deepcopy
from pathlib import Path

import torch
import transformers
from checkpoints import MAKERS, adapted
from expected import expectations, pooled, seen


def make(name: str, root: Path) -> dict:
    """Make a random checkpoint; return what comes out of it."""
    folder = root / name
    model, tokenizer, dtype = MAKERS[name](folder)
    tokenizer.save_pretrained(folder)
    # Saved as a copy: in a smaller type the model itself would lose more than its weights do.
    deepcopy(model).to(dtype).save_pretrained(folder, max_shard_size="200KB")
    if name.endswith("-lora"):
        adapted(model, root / f"{name}.adapter")
    found = expectations(model, tokenizer)
    if hasattr(model.config, "vision_config"):
        found |= seen(model, folder)
    return found | pooled(found, folder)


def take(folder: Path) -> dict:
    """Return what comes out of a checkpoint that is there."""
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    found = expectations(model, tokenizer)
    return found | pooled(found, folder)


def main(root: Path, names: list[str]) -> None:
    torch.set_num_threads(1)
    for name in names:
        found = make(name, root) if name in MAKERS else take(Path(name))
        (root / f"{Path(name).name}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
