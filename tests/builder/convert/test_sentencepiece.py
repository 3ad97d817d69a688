import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.sentencepiece import BPE, Piece, parse_sentencepiece
from tests.builder.convert.making import sentencepiece_model

PIECES = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("\u2581the", -1.5, 1), ("<0x0A>", 0.0, 6)]


def test_a_model_says_its_pieces_and_how_it_normalizes():
    found = parse_sentencepiece(sentencepiece_model(PIECES, prefix=False, charsmap=b"xy"), "m")
    assert found.pieces[2] == Piece("\u2581the".encode(), -1.5, 1)
    assert [piece.kind for piece in found.pieces] == [2, 3, 1, 6]
    assert (found.algorithm, found.charsmap) == (BPE, b"xy")
    assert (found.add_dummy_prefix, found.remove_extra_whitespaces) == (False, True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"IQ== 0\nIg== 1\n",  # a file of tiktoken
        sentencepiece_model(PIECES, algorithm=4),
        sentencepiece_model([("a", 0.0, 9)]),
        sentencepiece_model([]),
        b"\x0a\x03\x0a\x01\xff" + sentencepiece_model(PIECES),
        b"\x0a" + b"\xff" * 12,
        b"\x0b\x00",
    ],
)
def test_what_is_no_model_is_refused(data):
    with pytest.raises(ConvertError, match="m is no SentencePiece model, or it is damaged"):
        parse_sentencepiece(data, "m")


@given(st.data())
def test_any_change_of_a_model_is_taken_or_refused(data):
    raw = bytearray(sentencepiece_model(PIECES))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse_sentencepiece(bytes(raw), "m")
    except ConvertError:
        return
