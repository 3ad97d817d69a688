"""What transformers computes from a checkpoint."""

import json
from pathlib import Path

import numpy as np
import torch
from vocabularies import TEXTS

__all__ = ["expectations", "pooled", "seen"]


def expectations(model, tokenizer) -> dict:
    """Return texts, their tokens, and the logits or hidden states of each token."""
    found: dict = {"architecture": type(model).__name__, "texts": list(TEXTS)}
    found |= {"has_gelu": "gelu" in str(model.config.to_dict()), "tokens": [], "outputs": []}
    for text in TEXTS:
        ids = tokenizer(text)["input_ids"]
        found["tokens"].append(ids)
        with torch.no_grad():
            out = model(input_ids=torch.tensor([ids]))
        kind = "logits" if hasattr(out, "logits") else "hidden"
        found["kind"] = kind
        value = out.logits if kind == "logits" else out.last_hidden_state
        found["outputs"].append(value[0].float().tolist())
    return found


def pooled(found: dict, folder: Path) -> dict:
    """Return the vectors of length 1 that an embedder gives for the texts; {} of a decoder."""
    module = folder / "1_Pooling" / "config.json"
    if not module.exists():
        return {}
    first = json.loads(module.read_text()).get("pooling_mode_cls_token")
    rows = [np.array(out) for out in found["outputs"]]
    vectors = [out[0] if first else out.mean(0) for out in rows]
    return {"embeddings": [(v / np.linalg.norm(v)).tolist() for v in vectors]}


def seen(model, folder: Path) -> dict:
    """What tower and projector make of a picture with a gradient, in bytes of red, green, blue."""
    size = model.config.vision_config.image_size
    ramp = np.linspace(0, 255, size)
    red, green = np.add.outer(ramp, ramp) / 2, np.outer(ramp, ramp) / 255
    picture = np.stack([red, green, np.tile(ramp, (size, 1))], -1).astype(np.uint8)
    colours = json.loads((folder / "preprocessor_config.json").read_text())
    pixels = (picture / 255.0 - colours["image_mean"]) / colours["image_std"]
    tensor = torch.from_numpy(pixels.transpose(2, 0, 1)[None]).float()
    if model.config.vision_config.model_type == "clip_vision_model":
        return {"picture": picture.tolist(), "seen": shifted(model, tensor).tolist()}
    with torch.no_grad():
        features = model.get_image_features(pixel_values=tensor)
    features = getattr(features, "pooler_output", features)
    first = features[0] if isinstance(features, list | tuple) else features
    return {"picture": picture.tolist(), "seen": first.reshape(-1, first.shape[-1]).tolist()}


def shifted(model, tensor):
    """What llama.cpp sees with a CLIP tower: it has the class token last, but takes rows from the second.

    Each row then has the position of the one before, the first patch is lost, and the class token
    takes the last place. The conversion says so; here the order is made the same.
    """
    named = model.named_parameters()
    table = next(weights for name, weights in named if name.endswith("position_embedding.weight"))
    right = table.detach().clone()
    with torch.no_grad():
        table.copy_(right.roll(1, 0))
        features = model.get_image_features(
            pixel_values=tensor, vision_feature_select_strategy="full"
        )
        table.copy_(right)
    features = getattr(features, "pooler_output", features)
    first = features[0]
    return torch.cat([first[2:], first[:1]])
