"""Small checkpoints, written as others would write them."""

import json
import struct
from pathlib import Path

import numpy as np
from gguf.constants import GGMLQuantizationType
from gguf.quants import dequantize

from actorllm.actors.library.catalog import BUILTIN_ROOT
from actorllm.actors.library.gguf import read_gguf

__all__ = ["SEEDLING", "bf16", "safetensors", "seedling_folder", "sentencepiece_model"]

SEEDLING = max((BUILTIN_ROOT / "blobs").iterdir(), key=lambda path: path.stat().st_size)

_DTYPES = {"float32": "F32", "float16": "F16", "uint16": "BF16", "int64": "I64", "float64": "F64"}
_QWEN2 = (
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
)
_TENSORS = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_HEADS = {"attn_q": 4, "attn_k": 2}


def safetensors(path: Path, tensors: dict) -> Path:
    """Write arrays; 16-bit integers are taken for BF16."""
    header, data = {}, b""
    for name, array in tensors.items():
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": _DTYPES[str(array.dtype)],
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    head = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + data)
    return path


def bf16(array: np.ndarray) -> np.ndarray:
    """Cut F32 to the bits of BF16."""
    return (np.ascontiguousarray(array, np.float32).view(np.uint32) >> 16).astype(np.uint16)


def seedling_folder(folder: Path, shards: int = 2) -> Path:
    """The seedling as a checkpoint in F32, in the words and the order of Hugging Face."""
    gguf = read_gguf(SEEDLING)
    data = SEEDLING.read_bytes()
    tensors = {}
    for tensor in gguf.tensors:
        raw = np.frombuffer(data, np.uint8, tensor.size, tensor.offset)
        kind = GGMLQuantizationType[tensor.type]
        rows = raw.reshape(*tensor.shape[:0:-1], -1)
        array = dequantize(rows, kind).reshape(tensor.shape[::-1])
        tensors[_their_name(tensor.name)] = _their_order(tensor.name, array)
    _write_shards(folder, tensors, shards)
    (folder / "config.json").write_text(json.dumps(_config(gguf)))
    tokens = gguf.array("tokenizer.ggml.tokens")
    types = gguf.array("tokenizer.ggml.token_type")
    merges = gguf.array("tokenizer.ggml.merges")
    (folder / "tokenizer.json").write_text(json.dumps(_tokenizer(tokens, types, merges)))
    facts = {"eos_token": "<|im_end|>", "chat_template": gguf.text("tokenizer.chat_template")}
    (folder / "tokenizer_config.json").write_text(json.dumps(facts))
    return folder


def _write_shards(folder: Path, tensors: dict, shards: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names, places = sorted(tensors), {}
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        held = {name: tensors[name] for name in names[shard::shards]}
        safetensors(folder / file, held)
        places |= dict.fromkeys(held, file)
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def _their_name(name: str) -> str:
    if name == "token_embd.weight":
        return "model.embed_tokens.weight"
    if name == "output_norm.weight":
        return "model.norm.weight"
    _, block, kind, suffix = name.split(".")
    return f"model.layers.{block}.{_TENSORS[kind]}.{suffix}"


def _their_order(name: str, array: np.ndarray) -> np.ndarray:
    heads = next((n for key, n in _HEADS.items() if f".{key}." in name), None)
    if heads is None:
        return array
    paired = array.reshape(heads, -1, 2, array.shape[1])
    return paired.swapaxes(1, 2).reshape(array.shape)


def _config(gguf) -> dict:
    whole = {key: gguf.integer(f"llama.{key}") for key in ("context_length", "block_count")}
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 256,
        "intermediate_size": 768,
        "num_hidden_layers": whole["block_count"],
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": whole["context_length"],
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "vocab_size": 2048,
    }


def _tokenizer(tokens: list, types: list, merges: list) -> dict:
    added = [
        {"id": i, "content": token, "special": kind == 3}
        for i, (token, kind) in enumerate(zip(tokens, types, strict=True))
        if kind in (3, 4)
    ]
    return {
        "added_tokens": added,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": _QWEN2}, "behavior": "Isolated"},
                {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
            ],
        },
        "model": {
            "type": "BPE",
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": merges,
        },
    }


# SentencePiece's files


def sentencepiece_model(
    pieces: list, *, algorithm: int = 2, prefix: bool = True, charsmap: bytes = b""
) -> bytes:
    """Write a model: pieces of text, score and kind."""
    body = b""
    for text, score, kind in pieces:
        inner = (
            _field(1, text.encode()) + b"\x15" + struct.pack("<f", score) + b"\x18" + bytes([kind])
        )
        body += _field(1, inner)
    normalizer = _field(2, charsmap) + b"\x18" + bytes([prefix])
    return body + _field(2, b"\x18" + bytes([algorithm])) + _field(3, normalizer)


def _field(number: int, data: bytes) -> bytes:
    size, encoded = len(data), b""
    while size >= 0x80:
        encoded, size = encoded + bytes([size & 0x7F | 0x80]), size >> 7
    return bytes([number << 3 | 2]) + encoded + bytes([size]) + data
