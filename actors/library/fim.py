"""Whether a vocabulary has the tokens that fill in the middle of a text.

A file names them by their numbers, or the engine knows them by their texts: both as llama.cpp does.
"""

from mmap import ACCESS_READ, mmap
from typing import Final

from actorllm.actors.library.gguf import ArrayAt, Gguf

__all__ = ["fills_in"]

_TOKENS: Final = "tokenizer.ggml.tokens"
_NUMBERS: Final = (
    ("fim_pre_token_id", "prefix_token_id"),
    ("fim_suf_token_id", "suffix_token_id"),
    ("fim_mid_token_id", "middle_token_id"),
)
_TEXTS: Final = (
    ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    ("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
    ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
    ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
    ("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),
    ("▁<PRE>", "▁<SUF>", "▁<MID>"),
    ("<PRE>", "<SUF>", "<MID>"),
)
"""The tokens before what comes first, before what comes last, and before what is to be filled in."""


def fills_in(gguf: Gguf) -> bool:
    """Tell whether a model's vocabulary has all three tokens."""
    named = (
        any(gguf.integer(f"tokenizer.ggml.{key}") is not None for key in keys) for keys in _NUMBERS
    )
    return all(named) or _has_texts(gguf)


def _has_texts(gguf: Gguf) -> bool:
    tokens = gguf.metadata.get(_TOKENS)
    if not isinstance(tokens, ArrayAt):
        return False
    end = min((tensor.offset for tensor in gguf.tensors), default=gguf.size)
    with gguf.path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        return any(
            all(data.find(_stored(text), tokens.offset, end) >= 0 for text in texts)
            for texts in _TEXTS
        )


def _stored(text: str) -> bytes:
    """Write a string as a header does: its length in eight bytes, then itself."""
    data = text.encode()
    return len(data).to_bytes(8, "little") + data
