"""Models with random weights of any type and size, made on the spot."""

import ctypes
from pathlib import Path

import attrs
import gguf
import llama_cpp as cpp
import numpy as np

__all__ = ["TYPES", "Shape", "make_long_rope", "make_model"]

TYPES = {
    "F16": cpp.LLAMA_FTYPE_MOSTLY_F16,
    "Q8_0": cpp.LLAMA_FTYPE_MOSTLY_Q8_0,
    "Q4_0": cpp.LLAMA_FTYPE_MOSTLY_Q4_0,
    "Q4_K_M": cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M,
    "Q5_K_M": cpp.LLAMA_FTYPE_MOSTLY_Q5_K_M,
    "Q6_K": cpp.LLAMA_FTYPE_MOSTLY_Q6_K,
}


@attrs.frozen
class Shape:
    """Of a model; widths must be multiples of 256 for K-quants."""

    layers: int = 2
    width: int = 256
    inner: int = 512
    heads: int = 4
    kv_heads: int = 2
    vocabulary: int = 1024


def make_model(path: Path, kind: str, shape: Shape = Shape()) -> str:
    """Write a model with random weights, unless it is there; give its path."""
    if not path.exists():
        plain = path.with_suffix(".f16")
        _write(plain, shape)
        if kind == "F16":
            plain.rename(path)
        else:
            params = cpp.llama_model_quantize_default_params()
            params.ftype = TYPES[kind]
            params.nthread = 1
            done = cpp.llama_model_quantize(
                str(plain).encode(), str(path).encode(), ctypes.byref(params)
            )
            plain.unlink()
            assert done == 0
    return str(path)


def make_long_rope(path: Path, short: int, shape: Shape = Shape()) -> str:
    """Write a model that takes other frequencies beyond `short` tokens of context."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_rope_scaling_type(gguf.RopeScalingType.LONGROPE)
    writer.add_rope_scaling_orig_ctx_len(short)
    half = shape.width // shape.heads // 2
    writer.add_tensor("rope_factors_short.weight", np.ones(half, np.float32))
    writer.add_tensor("rope_factors_long.weight", np.linspace(1, 40, half, dtype=np.float32))
    _write_model(writer, shape)
    return str(path)


def _write(path: Path, shape: Shape) -> None:
    _write_model(gguf.GGUFWriter(path, "llama"), shape)


def _write_model(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_context_length(4096)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    _add_vocabulary(writer, shape.vocabulary)
    _add_weights(writer, shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_vocabulary(writer: gguf.GGUFWriter, size: int) -> None:
    kinds = gguf.TokenType
    letters = [f"<0x{byte:02X}>".encode() for byte in range(256)]
    words = [f"\u2581w{n}".encode() for n in range(size - 259)]
    writer.add_tokenizer_model("llama")
    writer.add_token_list([b"<unk>", b"<s>", b"</s>", *letters, *words])
    writer.add_token_scores([0.0] * 259 + [-1.0 * n for n in range(len(words))])
    writer.add_token_types(
        [kinds.UNKNOWN, kinds.CONTROL, kinds.CONTROL]
        + [kinds.BYTE] * 256
        + [kinds.NORMAL] * len(words)
    )
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)


def _add_weights(writer: gguf.GGUFWriter, shape: Shape) -> None:
    dice = np.random.default_rng(1)
    kv = shape.width // shape.heads * shape.kv_heads

    def matrix(name: str, rows: int, columns: int) -> None:
        values = dice.standard_normal((rows, columns), np.float32) * 2 / columns**0.5
        writer.add_tensor(name, values.astype(np.float16))

    matrix("token_embd.weight", shape.vocabulary, shape.width)
    matrix("output.weight", shape.vocabulary, shape.width)
    writer.add_tensor("output_norm.weight", np.ones(shape.width, np.float32))
    for layer in range(shape.layers):
        block = f"blk.{layer}"
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"{block}.{norm}.weight", np.ones(shape.width, np.float32))
        matrix(f"{block}.attn_q.weight", shape.width, shape.width)
        matrix(f"{block}.attn_k.weight", kv, shape.width)
        matrix(f"{block}.attn_v.weight", kv, shape.width)
        matrix(f"{block}.attn_output.weight", shape.width, shape.width)
        matrix(f"{block}.ffn_gate.weight", shape.inner, shape.width)
        matrix(f"{block}.ffn_up.weight", shape.inner, shape.width)
        matrix(f"{block}.ffn_down.weight", shape.width, shape.inner)
