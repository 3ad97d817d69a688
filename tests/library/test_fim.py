"""Whether the tokens of a vocabulary can fill in the middle."""

import struct

import pytest

from actorllm.actors.library.fim import fills_in
from tests.library.test_gguf import header, pack_string, pair, read

QWEN = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")


def numbers(*names):
    return [pair(f"tokenizer.ggml.{name}_token_id", 4, struct.pack("<I", 9)) for name in names]


def vocabulary(*tokens):
    head = struct.pack("<IQ", 8, len(tokens))
    return [pair("tokenizer.ggml.tokens", 9, head + b"".join(map(pack_string, tokens)))]


@pytest.mark.parametrize(
    ("pairs", "can"),
    [
        ([], False),
        (numbers("fim_pre", "fim_suf", "fim_mid"), True),
        (numbers("prefix", "suffix", "middle"), True),
        (numbers("fim_pre", "fim_suf"), False),
        (vocabulary("a", *QWEN, "b"), True),
        (vocabulary(*QWEN[:2]), False),
        (vocabulary(*(f"{token} " for token in QWEN)), False),
        (vocabulary("▁<PRE>", "▁<SUF>", "▁<MID>"), True),
        (vocabulary("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"), True),
        (vocabulary("<PRE>", "<|fim_suffix|>", "<fim_middle>"), False),
    ],
)
def test_all_three_tokens_must_be_there(tmp_path, pairs, can):
    assert fills_in(read(tmp_path, header(pairs))) == can
