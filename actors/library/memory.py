"""How much memory a model takes, predicted before it is loaded. Everything in bytes."""

from math import ceil
from typing import Final

import attrs

from actorllm.actors.library.gguf import ArrayAt, Gguf
from actorllm.protocol.codec import evolve
from actorllm.protocol.messages.models import MemoryShape

__all__ = ["KV_BYTES", "MemoryNeed", "memory_shape", "predict", "with_extra"]

KV_BYTES: Final = {
    "f32": 4.0,
    "f16": 2.0,
    "bf16": 2.0,
    "q8_0": 34 / 32,
    "q4_0": 18 / 32,
}
"""Bytes of one cached value, by the type of the cache; scales of quantized blocks are included."""

_BATCH: Final = 512
_MAX_LAYERS: Final = 4096
_MOST: Final = 1 << 60
"""No machine has that much; products of hostile numbers end here."""


@attrs.frozen
class MemoryNeed:
    """What goes where."""

    weights: int
    kv_cache: int
    state: int
    """Recurrent state of all slots."""
    compute: int
    """Buffers of the computation and of its outputs."""

    @property
    def total(self) -> int:
        return self.weights + self.kv_cache + self.state + self.compute


def memory_shape(gguf: Gguf) -> MemoryShape:
    """Take from a header what the memory depends on.

    Every layer counts with the whole context: layers with a sliding window may take less.
    """
    arch = gguf.architecture
    layers = min(gguf.integer(f"{arch}.block_count") or 0, _MAX_LAYERS)
    embedding = gguf.integer(f"{arch}.embedding_length") or 0
    heads = _per_layer(gguf, f"{arch}.attention.head_count", layers, 0)
    kv_heads = _per_layer(gguf, f"{arch}.attention.head_count_kv", layers, max(heads, default=0))
    head = embedding // max(1, *heads) if heads else 0
    key = gguf.integer(f"{arch}.attention.key_length") or head
    value = gguf.integer(f"{arch}.attention.value_length") or head
    caches = gguf.metadata.get(f"{arch}.attention.causal") is not False
    return MemoryShape(
        weights=gguf.size,
        layers=layers,
        kv_values=min(sum(kv_heads) * (key + value), _MOST) if caches else 0,
        state_bytes=min(_state(gguf, arch, layers), _MOST),
        heads=max(heads, default=0),
        embedding=embedding,
        feed_forward=max(_per_layer(gguf, f"{arch}.feed_forward_length", layers, 0), default=0),
        vocabulary=_vocabulary(gguf, arch),
    )


def with_extra(shape: MemoryShape, extra: int) -> MemoryShape:
    """Return the shape with the bytes of adapters and projectors in the weights."""
    return evolve(shape, weights=shape.weights + extra)


def predict(
    shape: MemoryShape,
    *,
    context: int,
    slots: int = 1,
    batch: int = _BATCH,
    kv_type: str = "f16",
    flash_attention: bool = True,
) -> MemoryNeed:
    """Predict the memory of a loaded model.

    The compute buffer is that of the largest step: a full batch of logits, of a feed-forward block
    or of attention, whichever is more. llama.cpp reports the same within 1 % for a small Llama.

    Args:
        shape: From the header.
        context: Tokens of all slots together.
        slots: Sequences at a time.
        batch: Tokens of one step.
        kv_type: Type of the KV cache, a key of `KV_BYTES`.
        flash_attention: Without it the scores of all heads are kept in full.
    """
    rows = min(batch, max(context, 1))
    mask = rows * context * (2 if flash_attention else 4)
    scores = 0 if flash_attention else rows * context * shape.heads * 4
    widest = max(
        rows * (shape.vocabulary + shape.embedding) * 4,
        rows * (3 * shape.feed_forward + 4 * shape.embedding) * 4,
        rows * 6 * shape.embedding * 4 + scores,
    )
    return MemoryNeed(
        weights=shape.weights,
        kv_cache=ceil(shape.kv_values * context * KV_BYTES[kv_type]),
        state=shape.state_bytes * slots,
        compute=widest + mask + slots * shape.vocabulary * 4,
    )


def _per_layer(gguf: Gguf, key: str, layers: int, default: int) -> list[int]:
    """Read a number that is one for all layers or one for each."""
    value = gguf.metadata.get(key)
    if isinstance(value, ArrayAt):
        return [n for n in gguf.array(key)[:layers] if isinstance(n, int) and n >= 0]
    number = default if value is None else gguf.integer(key) or 0
    return [max(0, number)] * layers


def _state(gguf: Gguf, arch: str, layers: int) -> int:
    """Return the recurrent state of one sequence (Mamba and its kin), an upper bound."""
    inner = gguf.integer(f"{arch}.ssm.inner_size") or 0
    state = gguf.integer(f"{arch}.ssm.state_size") or 0
    kernel = gguf.integer(f"{arch}.ssm.conv_kernel") or 1
    groups = gguf.integer(f"{arch}.ssm.group_count") or 0
    return layers * 4 * ((kernel - 1) * (inner + 2 * groups * state) + inner * state)


def _vocabulary(gguf: Gguf, arch: str) -> int:
    tokens = gguf.metadata.get("tokenizer.ggml.tokens")
    if isinstance(tokens, ArrayAt):
        return tokens.count
    return gguf.integer(f"{arch}.vocab_size") or 0
