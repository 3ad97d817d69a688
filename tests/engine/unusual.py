"""Small models with random weights whose cells are not those of a plain transformer."""

from pathlib import Path

import gguf
import numpy as np

from tests.engine.weights import _add_vocabulary

__all__ = ["WINDOW", "make_hybrid", "make_recurrent", "make_sliding"]

WINDOW = 64
"""Tokens that every second layer of the sliding model looks back."""
_LAYERS, _WIDTH, _INNER, _HEADS, _VOCABULARY = 2, 64, 128, 2, 512
_STATE, _KERNEL, _RANK = 8, 4, 4


class _Writer(gguf.GGUFWriter):
    """Writes what all of them have, and random tensors."""

    def __init__(self, path: Path, architecture: str) -> None:
        super().__init__(path, architecture)
        self.add_context_length(4096)
        self.add_embedding_length(_WIDTH)
        self.add_block_count(_LAYERS)
        self.add_layer_norm_rms_eps(1e-5)
        self.add_file_type(gguf.LlamaFileType.ALL_F32)
        _add_vocabulary(self, _VOCABULARY)
        self._dice = np.random.default_rng(1)
        self.random("token_embd.weight", _VOCABULARY, _WIDTH)
        self.same("output_norm.weight", 1.0, _WIDTH)

    def random(self, name: str, *shape: int) -> None:
        values = self._dice.standard_normal(shape, np.float32) * 2 / shape[-1] ** 0.5
        self.add_tensor(name, values)

    def same(self, name: str, value: float, *shape: int) -> None:
        self.add_tensor(name, np.full(shape, value, np.float32))

    def norms(self, block: str, *names: str) -> None:
        for name in names:
            self.same(f"{block}.{name}.weight", 1.0, _WIDTH)

    def attention(self, block: str) -> None:
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            self.random(f"{block}.{part}.weight", _WIDTH, _WIDTH)

    def feed_forward(self, block: str) -> None:
        self.random(f"{block}.ffn_gate.weight", _INNER, _WIDTH)
        self.random(f"{block}.ffn_up.weight", _INNER, _WIDTH)
        self.random(f"{block}.ffn_down.weight", _WIDTH, _INNER)

    def recurrence(self, block: str) -> None:
        self.random(f"{block}.ssm_in.weight", 2 * _INNER, _WIDTH)
        self.random(f"{block}.ssm_conv1d.weight", _INNER, _KERNEL)
        self.same(f"{block}.ssm_conv1d.bias", 0.0, _INNER)
        self.random(f"{block}.ssm_x.weight", _RANK + 2 * _STATE, _INNER)
        self.random(f"{block}.ssm_dt.weight", _INNER, _RANK)
        self.same(f"{block}.ssm_dt.bias", 0.0, _INNER)
        self.same(f"{block}.ssm_a", -0.05, _INNER, _STATE)  # forgets slowly
        self.same(f"{block}.ssm_d", 1.0, _INNER)
        self.random(f"{block}.ssm_out.weight", _WIDTH, _INNER)

    def sizes_of_recurrence(self) -> None:
        self.add_ssm_conv_kernel(_KERNEL)
        self.add_ssm_inner_size(_INNER)
        self.add_ssm_state_size(_STATE)
        self.add_ssm_time_step_rank(_RANK)

    def finish(self) -> None:
        self.write_header_to_file()
        self.write_kv_data_to_file()
        self.write_tensors_to_file()
        self.close()


def make_sliding(path: Path) -> str:
    """Write a model in the shape of Gemma 2."""
    writer = _Writer(path, "gemma2")
    writer.add_feed_forward_length(_INNER)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_sliding_window(WINDOW)
    for block in (f"blk.{layer}" for layer in range(_LAYERS)):
        writer.norms(block, "attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
        writer.attention(block)
        writer.feed_forward(block)
    writer.finish()
    return str(path)


def make_recurrent(path: Path) -> str:
    """Write a model in the shape of Mamba."""
    writer = _Writer(path, "mamba")
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.sizes_of_recurrence()
    for block in (f"blk.{layer}" for layer in range(_LAYERS)):
        writer.norms(block, "attn_norm")
        writer.recurrence(block)
    writer.finish()
    return str(path)


def make_hybrid(path: Path) -> str:
    """Write a model in the shape of Jamba: a recurrent layer, and one with attention."""
    writer = _Writer(path, "jamba")
    writer.add_feed_forward_length(_INNER)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv([0, _HEADS])
    writer.sizes_of_recurrence()
    for layer, block in enumerate(f"blk.{layer}" for layer in range(_LAYERS)):
        writer.norms(block, "attn_norm", "ffn_norm")
        writer.feed_forward(block)
        if layer % 2:
            writer.attention(block)
        else:
            writer.recurrence(block)
            for name, size in (("dt", _RANK), ("b", _STATE), ("c", _STATE)):
                writer.same(f"{block}.ssm_{name}_norm.weight", 1.0, size)
    writer.finish()
    return str(path)
