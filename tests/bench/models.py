"""Models to measure with, made on the spot and kept in the folder for temporary files."""

import tempfile
from pathlib import Path

import gguf
import httpx
import numpy as np
import ollama

from actorllm.actors.library.catalog import BUILTIN_ROOT
from tests.integration.daemon import Daemon

__all__ = ["ENDS", "FOLDER", "create", "half_billion", "seedling"]

FOLDER = Path(tempfile.gettempdir()) / "actorllm-bench"
"""Keeps models from run to run."""
_LAYERS, _WIDTH, _HEADS, _KV_HEADS, _INNER, _VOCABULARY = 24, 896, 14, 2, 4864, 32_000
_CONTEXT = 16_384
_SCALE = np.float16(0.0004)
ENDS = {"0": -100, "2": -100}
"""Biases against the tokens with which a text of either model ends: streams stay long."""


def seedling() -> Path:
    """The weights of the model that comes with the package."""
    return max((BUILTIN_ROOT / "blobs").iterdir(), key=lambda path: path.stat().st_size)


def half_billion() -> Path:
    """Random weights in the shape of a model of half a billion parameters, in Q8_0."""
    path = FOLDER / "random-0.5b-q8_0-16k.gguf"
    if not path.exists():
        FOLDER.mkdir(exist_ok=True)
        partial = path.with_suffix(".partial")
        writer = gguf.GGUFWriter(partial, "llama")
        _describe(writer)
        _add_vocabulary(writer)
        _add_tensors(writer)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        partial.rename(path)
    return path


def create(daemon: Daemon, name: str, path: Path) -> None:
    """Make a file known to a daemon by a name."""
    with ollama.Client(daemon.url, timeout=httpx.Timeout(300)) as client:
        client.create(name, files={"m.gguf": client.create_blob(path)})


def _describe(writer: gguf.GGUFWriter) -> None:
    writer.add_name("random")
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_INNER)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_KV_HEADS)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)


def _add_vocabulary(writer: gguf.GGUFWriter) -> None:
    special = [b"<unk>", b"<s>", b"</s>"]
    raw = [f"<0x{byte:02X}>".encode() for byte in range(256)]
    words = [f"\u2581w{n}".encode() for n in range(_VOCABULARY - len(special) - len(raw))]
    kinds = gguf.TokenType
    writer.add_tokenizer_model("llama")
    writer.add_token_list([*special, *raw, *words])
    writer.add_token_scores(
        [0.0] * (len(special) + len(raw)) + [-1.0 * n for n in range(len(words))]
    )
    writer.add_token_types(
        [kinds.UNKNOWN, kinds.CONTROL, kinds.CONTROL]
        + [kinds.BYTE] * len(raw)
        + [kinds.NORMAL] * len(words)
    )
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)


def _add_tensors(writer: gguf.GGUFWriter) -> None:
    dice = np.random.default_rng(1)
    kv = _WIDTH // _HEADS * _KV_HEADS

    def matrix(name: str, rows: int, columns: int) -> None:
        blocks = np.empty((rows, columns // 32, 34), np.uint8)
        blocks[..., :2] = np.frombuffer(_SCALE.tobytes(), np.uint8)
        blocks[..., 2:] = dice.integers(0, 256, (rows, columns // 32, 32), np.uint8)
        data = blocks.reshape(rows, -1)
        writer.add_tensor(name, data, raw_dtype=gguf.GGMLQuantizationType.Q8_0)

    def ones(name: str) -> None:
        writer.add_tensor(name, np.ones(_WIDTH, np.float32))

    matrix("token_embd.weight", _VOCABULARY, _WIDTH)
    matrix("output.weight", _VOCABULARY, _WIDTH)
    ones("output_norm.weight")
    for layer in range(_LAYERS):
        block = f"blk.{layer}"
        ones(f"{block}.attn_norm.weight")
        ones(f"{block}.ffn_norm.weight")
        matrix(f"{block}.attn_q.weight", _WIDTH, _WIDTH)
        matrix(f"{block}.attn_k.weight", kv, _WIDTH)
        matrix(f"{block}.attn_v.weight", kv, _WIDTH)
        matrix(f"{block}.attn_output.weight", _WIDTH, _WIDTH)
        matrix(f"{block}.ffn_gate.weight", _INNER, _WIDTH)
        matrix(f"{block}.ffn_up.weight", _INNER, _WIDTH)
        matrix(f"{block}.ffn_down.weight", _WIDTH, _INNER)
