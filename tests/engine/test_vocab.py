"""Tokens of long texts, and who may read a vocabulary at a time."""

import random
import threading

import pytest

from actorllm.actors.runner.engine import blocks, vocab
from actorllm.actors.runner.engine.blocks import Blocks
from actorllm.actors.runner.engine.opening import open_model
from actorllm.actors.runner.engine.types import EngineError, EngineSettings


@pytest.fixture(scope="module")
def opened(seedling):
    opened = open_model(EngineSettings(model_path=seedling, num_ctx=64, slots=1, threads=1))
    yield opened
    opened.free()


@pytest.fixture
def words(opened):
    return vocab.Vocab(opened.model.handle)


def cut(specials, text, monkeypatch, most=1):
    monkeypatch.setattr(blocks, "MOST_SPECIALS", most)
    parts = list(Blocks(s.encode() for s in specials).of(text.encode()))
    assert b"".join(parts).decode() == text
    return [part.decode() for part in parts]


@pytest.mark.parametrize(
    ("specials", "text", "parts"),
    [
        ([], "<a><a>", ["<a><a>"]),
        ([""], "<a><a>", ["<a><a>"]),
        (["<a>"], "", [""]),
        (["<a>"], "x<a>y", ["x<a>y"]),
        (["<a>"], "x<a>y<a>z<a>", ["x<a>y", "<a>z", "<a>"]),
        (["<a>"], "x<a> <a>\n<a>y<a>", ["x<a> <a>\n<a>y", "<a>"]),
        (["<a>", "><"], "<a><a>x<a>", ["<a><a>x", "<a>"]),
        (["<a>", "<a>>>"], "<a><a>>><a>", ["<a>", "<a>>>", "<a>"]),
        (["<a>", "a>bc"], "<a>x<a>bc<a>", ["<a>x<a>bc", "<a>"]),
        (["<a>", " b"], "<a> b b<a>", ["<a> b b", "<a>"]),
    ],
)
def test_a_text_is_cut_where_a_special_token_certainly_begins(specials, text, parts, monkeypatch):
    assert cut(specials, text, monkeypatch) == parts


def test_the_longest_of_many_special_tokens_is_found():
    dice = random.Random(3)
    specials = {bytes(dice.choices(b"<ab>.*", k=dice.randrange(1, 7))) for _ in range(300)}
    pattern = Blocks(specials)._pattern
    for _ in range(500):
        text = bytes(dice.choices(b"<ab>.*c", k=12))
        found = pattern.match(text)
        longest = max((s for s in specials if text.startswith(s)), key=len, default=None)
        assert (found and found[0]) == longest


@pytest.mark.parametrize(
    "specials",
    [
        [b"x" * 257, b"<a>"],
        [b"%d" % n for n in range(20_001)],
        [b"a" * n + b"b" for n in range(256)] + [b"a" * n for n in range(1, 256)],
    ],
)
def test_a_hostile_vocabulary_cuts_nothing_or_ends_soon(specials):
    text = b"<a>" * 2000 + b"a" * 2000
    assert b"".join(Blocks(specials).of(text)) == text


def test_a_text_with_few_special_tokens_stays_whole(monkeypatch):
    assert cut(["<a>"], "x<a>" * 9, monkeypatch, most=9) == ["x<a>" * 9]
    assert len(cut(["<a>"], "x<a>" * 100, monkeypatch, most=9)) == 12


@pytest.mark.parametrize("parse_special", [True, False])
@pytest.mark.parametrize("add_special", [True, False])
def test_blocks_have_the_tokens_of_the_whole(words, monkeypatch, add_special, parse_special):
    monkeypatch.setattr(blocks, "MOST_SPECIALS", 1)
    dice = random.Random(5)
    pieces = ["<|im_start|>", "<|im_end|>", "<tool_call>", "<think>", "</think>", "<|im", "_end|>"]
    pieces += [" ", "\n", "a", "Paris is", "é", "12", "<", ">"]
    most = 0
    for _ in range(200):
        text = "".join(dice.choices(pieces, k=60))
        how = {"add_special": add_special, "parse_special": parse_special}
        monkeypatch.setattr(vocab, "_FEW", 10**9)
        whole = words.tokenize(text, **how)
        monkeypatch.setattr(vocab, "_FEW", 0)
        assert words.tokenize(text, **how) == whole
        most = max(most, len(list(words._blocks_for(parse_special).of(text.encode()))))
    assert most > 5


def test_a_long_text_keeps_nobody_from_reading(words, monkeypatch):
    began, read = threading.Event(), threading.Event()

    def slow(*_):
        began.set()
        assert read.wait(20)
        return []

    monkeypatch.setattr(words, "_tokenize", slow)
    thread = threading.Thread(
        target=words.tokenize, args=("a",), kwargs={"add_special": False, "parse_special": False}
    )
    thread.start()
    assert began.wait(20)
    assert words.piece(1) == b"<|im_start|>"
    closed = threading.Thread(target=words.close)
    closed.start()
    while not words._closed:
        closed.join(0.001)
    assert closed.is_alive()
    with pytest.raises(EngineError, match="not running"):
        words.piece(2)
    read.set()
    thread.join(20)
    closed.join(20)
    assert not closed.is_alive()
