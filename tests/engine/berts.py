"""BERTs with random weights, made on the spot: embedders, and rerankers with a head for a score.

`score` computes what a reranker must say, by itself and in another way: for comparison.
"""

from pathlib import Path
from typing import Any

import attrs
import gguf
import numpy as np

__all__ = ["Bert", "score", "words", "write"]

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PLAIN = [
    "the",
    "a",
    "of",
    "is",
    "why",
    "sky",
    "blue",
    "grass",
    "green",
    "hello",
    "world",
    "cat",
    "dog",
    "king",
    "queen",
    "one",
    "two",
    "three",
]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
CLS, SEP = 2, 3


@attrs.frozen
class Bert:
    """A shape."""

    pooling: gguf.PoolingType = gguf.PoolingType.RANK
    width: int = 16
    inner: int = 32
    heads: int = 2
    layers: int = 1
    context: int = 64
    scale: float = 0.4
    """Of the weights; large ones make scores differ."""


def words() -> list[str]:
    """The vocabulary."""
    starts = [f"\u2581{word}" for word in [*PLAIN, *LETTERS[1:]]]
    return [*SPECIAL, *starts, *LETTERS]


def write(path: Path, bert: Bert = Bert()) -> dict[str, Any]:
    """Write a model; return its weights by name."""
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_name("random-bert")
    writer.add_context_length(bert.context)
    writer.add_embedding_length(bert.width)
    writer.add_feed_forward_length(bert.inner)
    writer.add_block_count(bert.layers)
    writer.add_head_count(bert.heads)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_pooling_type(bert.pooling)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    tokens = words()
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token.startswith("[") else 1 for token in tokens])
    writer.add_token_type_count(2)
    for name, token in (
        ("unk", 1),
        ("bos", CLS),
        ("eos", SEP),
        ("sep", SEP),
        ("pad", 0),
        ("mask", 4),
    ):
        getattr(writer, f"add_{name}_token_id")(token)
    weights = _weights(bert, len(tokens))
    for name, data in weights.items():
        writer.add_tensor(name, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights


def _weights(bert: Bert, vocabulary: int) -> dict[str, Any]:
    dice = np.random.default_rng(7)
    d, made = bert.width, {}

    def matrix(name: str, *shape: int) -> None:
        made[name] = (dice.standard_normal(shape) * bert.scale).astype(np.float32)

    def norm(name: str) -> None:
        made[f"{name}.weight"] = np.ones(d, np.float32)
        made[f"{name}.bias"] = np.zeros(d, np.float32)

    matrix("token_embd.weight", vocabulary, d)
    matrix("token_types.weight", 2, d)
    matrix("position_embd.weight", bert.context, d)
    norm("token_embd_norm")
    for layer in range(bert.layers):
        block = f"blk.{layer}"
        for part in ("q", "k", "v", "output"):
            matrix(f"{block}.attn_{part}.weight", d, d)
            matrix(f"{block}.attn_{part}.bias", d)
        norm(f"{block}.attn_output_norm")
        for part, (rows, columns) in {"up": (bert.inner, d), "down": (d, bert.inner)}.items():
            matrix(f"{block}.ffn_{part}.weight", rows, columns)
            matrix(f"{block}.ffn_{part}.bias", rows)
        norm(f"{block}.layer_output_norm")
    if bert.pooling is gguf.PoolingType.RANK:
        matrix("cls.weight", d, d)
        matrix("cls.bias", d)
        matrix("cls.output.weight", 1, d)
        matrix("cls.output.bias", 1)
    return made


def score(weights: dict[str, Any], tokens: list[int], heads: int = 2) -> float:
    """Compute the logit of a pair, in plain numpy."""
    w = {name: data.astype(np.float64) for name, data in weights.items()}
    rows = w["token_embd.weight"][tokens] + w["position_embd.weight"][: len(tokens)]
    x = _norm(rows + w["token_types.weight"][0])
    layer = 0
    while f"blk.{layer}.attn_q.weight" in w:
        x = _layer(w, f"blk.{layer}", x, heads)
        layer += 1
    pooled = np.tanh(w["cls.weight"] @ x[0] + w["cls.bias"])
    return float((w["cls.output.weight"] @ pooled + w["cls.output.bias"])[0])


def _layer(w: dict[str, Any], block: str, x: Any, heads: int) -> Any:
    q, k, v = (
        (x @ w[f"{block}.attn_{part}.weight"].T + w[f"{block}.attn_{part}.bias"]).reshape(
            len(x), heads, -1
        )
        for part in "qkv"
    )
    raw = np.einsum("ihd,jhd->hij", q, k) / np.sqrt(q.shape[2])
    attention = np.exp(raw - raw.max(axis=2, keepdims=True))
    attention /= attention.sum(axis=2, keepdims=True)
    mixed = np.einsum("hij,jhd->ihd", attention, v).reshape(len(x), -1)
    mixed = mixed @ w[f"{block}.attn_output.weight"].T + w[f"{block}.attn_output.bias"]
    x = _norm(x + mixed)
    up = x @ w[f"{block}.ffn_up.weight"].T + w[f"{block}.ffn_up.bias"]
    gelu = 0.5 * up * (1 + np.tanh(np.sqrt(2 / np.pi) * (up + 0.044715 * up**3)))
    return _norm(x + gelu @ w[f"{block}.ffn_down.weight"].T + w[f"{block}.ffn_down.bias"])


def _norm(x: Any) -> Any:
    return (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-12)
