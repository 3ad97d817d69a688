import json

import pytest
from gguf import GGUFWriter

from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.words import add_words
from tests.builder.convert.making import sentencepiece_model

SPACE = "\u2581"
ESCAPED = [
    {"type": "Prepend", "prepend": SPACE},
    {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
]
GPT2 = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
BYTE_LEVEL = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}
BOS = {
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}],
    "pair": [],
}


@pytest.fixture
def words(tmp_path):
    """Writes files, and tells what of them comes into the metadata, and the notices."""

    def convert(rows, kind="text", **files):
        for name, content in files.items():
            path = tmp_path / name.replace("__", ".")
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            path.write_bytes(data)
        gguf, notices = GGUFWriter(None, "llama"), []
        add_words(gguf, tmp_path, rows, kind, notices)
        found = {key: value.value for key, value in gguf.kv_data[0].items()}
        return {key.removeprefix("tokenizer."): v for key, v in found.items()}, notices

    return convert


def byte_level(**more):
    return {"model": BYTE_LEVEL, "pre_tokenizer": GPT2, **more}


def test_byte_level_bpe_keeps_its_merges_and_gets_a_token_for_each_row(words):
    added = [
        {"id": 3, "content": "<s>", "special": True},
        {"id": 4, "content": "<tool>", "special": False},
        {"id": 9, "content": "<far>", "special": False},
    ]
    found, notices = words(6, tokenizer__json=byte_level(added_tokens=added))
    assert found["ggml.model"] == "gpt2"
    assert found["ggml.pre"] == "gpt-2"
    assert found["ggml.tokens"] == [b"a", b"b", b"ab", b"<s>", b"<tool>", b"[PAD5]"]
    assert found["ggml.token_type"] == [1, 1, 1, 3, 4, 5]
    assert found["ggml.merges"] == ["a b"]
    assert found["ggml.add_bos_token"] is False
    assert notices == ["1 added tokens have no row in the embeddings and are left out"]


def test_merges_may_be_pairs_and_may_have_spaces(words):
    model = BYTE_LEVEL | {"merges": [["a", "b"], ["a b", "a"]]}
    found, _ = words(3, tokenizer__json=byte_level(model=model))
    assert found["ggml.merges"] == ["a b", "a\u0120b a"]


def test_special_tokens_and_the_template_come_from_the_configs(words):
    added = [{"id": n, "content": f"<{n}>", "special": True} for n in range(3, 7)]
    found, notices = words(
        8,
        tokenizer__json=byte_level(added_tokens=added),
        tokenizer_config__json={"bos_token": "<3>", "eos_token": {"content": "<4>"}},
        generation_config__json={"eos_token_id": [5, 4, 6, 7]},
        chat_template__jinja=b"{{ messages }}",
    )
    assert found["ggml.bos_token_id"] == 3
    assert found["ggml.eos_token_id"] == 4
    assert (found["ggml.eot_token_id"], found["ggml.eom_token_id"]) == (5, 6)
    assert found["chat_template"] == "{{ messages }}"
    assert notices == ["only 3 of 4 ends of a text are kept"]


def test_a_token_that_begins_every_text_is_seen(words):
    added = [{"id": 3, "content": "<s>", "special": True}]
    found, _ = words(
        4,
        tokenizer__json=byte_level(added_tokens=added, post_processor=BOS),
        tokenizer_config__json={"bos_token": "<s>"},
    )
    assert found["ggml.add_bos_token"] is True


def test_sentencepiece_comes_with_scores_from_its_own_file(words):
    pieces = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), (f"{SPACE}a", -1.0, 1), ("<0x0A>", 0.0, 6)]
    found, notices = words(
        6,
        tokenizer__model=sentencepiece_model(pieces),
        added_tokens__json={"<tool>": 4},
    )
    assert found["ggml.model"] == "llama"
    assert found["ggml.tokens"][:5] == [
        b"<unk>",
        b"<s>",
        f"{SPACE}a".encode(),
        b"<0x0A>",
        b"<tool>",
    ]
    assert found["ggml.scores"] == [0.0, 0.0, -1.0, 0.0, -1000.0, -1000.0]
    assert found["ggml.token_type"] == [2, 3, 1, 6, 4, 5]
    assert found["ggml.add_space_prefix"] is True
    assert notices == []


def test_sentencepiece_in_tokenizer_json_has_scores_by_the_order_of_merges(words):
    vocab = {"<unk>": 0, "<0x0A>": 1, "a": 2, "b": 3, "ab": 4, "ba": 5}
    model = {
        "type": "BPE", "byte_fallback": True, "unk_token": "<unk>", "vocab": vocab,
        "merges": [["b", "a"], ["a", "b"]],
    }  # fmt: skip
    tokenizer = {"model": model, "normalizer": {"type": "Sequence", "normalizers": ESCAPED}}
    found, _ = words(6, tokenizer__json=tokenizer)
    assert found["ggml.model"] == "llama"
    assert found["ggml.token_type"] == [2, 6, 1, 1, 1, 1]
    scores = dict(zip(vocab, found["ggml.scores"], strict=True))
    assert scores["ba"] > scores["ab"]
    assert found["ggml.add_space_prefix"] is True
    tokenizer["normalizer"] = ESCAPED[1]
    assert words(6, tokenizer__json=tokenizer)[0]["ggml.add_space_prefix"] is False
    tokenizer["normalizer"] = {"type": "NFKC"}
    with pytest.raises(ConvertError, match="normalizes text by NFKC"):
        words(6, tokenizer__json=tokenizer)


def test_a_file_of_tiktoken_is_not_taken_for_sentencepiece(words):
    found, _ = words(3, tokenizer__model=b"IQ== 0\nIg== 1\n", tokenizer__json=byte_level())
    assert found["ggml.model"] == "gpt2"


def test_wordpiece_marks_beginnings_and_finds_its_special_tokens(words):
    vocab = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "un": 5, "##do": 6}
    tokenizer = {
        "model": {"type": "WordPiece", "vocab": vocab},
        "normalizer": {"type": "BertNormalizer", "lowercase": False, "strip_accents": None},
    }
    for files in (
        {"tokenizer__json": tokenizer},
        {
            "vocab__txt": "\n".join(vocab).encode(),
            "tokenizer_config__json": {"do_lower_case": False},
        },
    ):
        found, _ = words(7, "encoder", **files)
        assert found["ggml.model"] == "bert"
        assert found["ggml.tokens"][2:] == (
            [b"[CLS]", b"[SEP]", b"[MASK]", f"{SPACE}un".encode(), b"do"]
        )
        assert found["ggml.token_type"] == [3, 2, 3, 3, 3, 1, 1]
        assert found["ggml.normalizer.lowercase"] is False
        ids = [
            found[f"ggml.{kind}_token_id"] for kind in ("bos", "seperator", "unknown", "padding")
        ]
        assert ids == [2, 3, 1, 0]


def test_unigram_keeps_its_rules_of_normalization(words):
    tokenizer = {
        "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], [f"{SPACE}a", -2.5]]},
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAECAw=="},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace"}],
        },
    }
    found, _ = words(2, "encoder", tokenizer__json=tokenizer)
    assert found["ggml.model"] == "t5"
    assert found["ggml.scores"] == [0.0, -2.5]
    assert found["ggml.token_type"] == [2, 1]
    assert bytes(found["ggml.precompiled_charsmap"]) == b"\x00\x01\x02\x03"
    assert found["ggml.remove_extra_whitespaces"] is True


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "tokenizer.json or tokenizer.model is needed"),
        ({"tokenizer__json": {"x": 1}}, "has no model"),
        ({"tokenizer__json": {"model": {"type": "WordLevel"}}}, "WordLevel are not supported"),
        ({"tokenizer__json": {"model": {"type": "BPE", "vocab": {}}}}, "has no vocabulary"),
        ({"tokenizer__json": {"model": {"type": "BPE", "vocab": {"a": -1}}}}, "invalid number"),
        (
            {"tokenizer__json": {"model": {"type": "BPE", "vocab": {"a": 1 << 40}}}},
            "invalid number",
        ),
        ({"tokenizer__json": {"model": {"type": "BPE", "vocab": {"a": 1, "b": 1}}}}, "one number"),
        ({"tokenizer__json": byte_level(model=BYTE_LEVEL | {"merges": ["a"]})}, "malformed merge"),
        ({"tokenizer__json": byte_level(added_tokens=[5])}, "malformed added token"),
        ({"tokenizer__json": byte_level(added_tokens=[{"id": -1, "content": "x"}])}, "added token"),
        ({"tokenizer__json": byte_level(post_processor=7)}, "tokenizer are malformed"),
        ({"tokenizer__json": byte_level(model=BYTE_LEVEL | {"dropout": 0.1})}, "has a dropout"),
        ({"tokenizer__json": b"[]"}, "holds no JSON object"),
        ({"tokenizer__model": b"\xff"}, "no SentencePiece model"),
        ({"tokenizer__json": byte_level(), "added_tokens__json": {"x": "y"}}, "added token"),
    ],
)
def test_what_is_malformed_is_refused(words, files, said):
    with pytest.raises(ConvertError, match=said):
        words(3, **files)


def test_more_tokens_than_embeddings_are_refused(words):
    with pytest.raises(ConvertError, match="has 3 tokens, the embeddings have 2 rows"):
        words(2, tokenizer__json=byte_level())
