"""tokenizer.model: the pieces of a SentencePiece model.

It is a message in the wire format of protocol buffers; of its fields only those are read that a GGUF
file has a place for. The numbers of the fields are those of sentencepiece_model.proto.
"""

import struct
from collections.abc import Iterator
from typing import Final

import attrs

from actorllm.actors.builder.convert.errors import ConvertError

__all__ = ["BPE", "MAX_PIECES", "UNIGRAM", "Piece", "SentencePieceModel", "parse_sentencepiece"]

UNIGRAM: Final = 1
BPE: Final = 2
MAX_PIECES: Final = 1 << 21

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT: Final = 10
"""Bytes."""


@attrs.frozen
class Piece:
    """A token."""

    text: bytes
    score: float
    kind: int
    """1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte: as GGUF numbers them."""


@attrs.frozen
class SentencePieceModel:
    """What a file says."""

    pieces: tuple[Piece, ...]
    algorithm: int
    """`UNIGRAM` or `BPE`."""
    charsmap: bytes
    """Rules of normalisation, compiled."""
    add_dummy_prefix: bool
    remove_extra_whitespaces: bool


def parse_sentencepiece(data: bytes, name: str) -> SentencePieceModel:
    """Read a model.

    Raises:
        ConvertError: It is none, or an algorithm is neither Unigram nor BPE.
    """
    try:
        return _model(data)
    except (LookupError, ValueError, struct.error) as e:
        raise ConvertError(f"{name} is no SentencePiece model, or it is damaged") from e


def _model(data: bytes) -> SentencePieceModel:
    pieces: list[Piece] = []
    trainer: dict[int, int | bytes] = {}
    normalizer: dict[int, int | bytes] = {}
    for field, value in _fields(data):
        if field == 1:
            pieces.append(_piece(_bytes(value)))
        elif field == 2:
            trainer = dict(_fields(_bytes(value)))
        elif field == 3:
            normalizer = dict(_fields(_bytes(value)))
        if len(pieces) > MAX_PIECES:
            raise ValueError("too many pieces")
    algorithm = trainer.get(3, UNIGRAM)
    if not pieces or algorithm not in (UNIGRAM, BPE):
        raise ValueError("no pieces, or another algorithm")
    return SentencePieceModel(
        tuple(pieces),
        int(algorithm),
        _bytes(normalizer.get(2, b"")),
        add_dummy_prefix=bool(normalizer.get(3, 1)),
        remove_extra_whitespaces=bool(normalizer.get(4, 1)),
    )


def _piece(data: bytes) -> Piece:
    fields = dict(_fields(data))
    text, kind = _bytes(fields[1]), fields.get(3, 1)
    text.decode()
    (score,) = struct.unpack("<f", _bytes(fields.get(2, bytes(4))))
    if kind not in (1, 2, 3, 4, 5, 6):
        raise ValueError("unknown kind of piece")
    return Piece(text, score, int(kind))


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("number in place of bytes")  # noqa: TRY004 -- one error for a bad file
    return value


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Go through the fields of a message: varints as numbers, everything else as bytes."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        kind = key & 7
        if kind == _VARINT:
            number, position = _varint(data, position)
            yield key >> 3, number
            continue
        if kind == _BYTES:
            size, position = _varint(data, position)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError("unknown wire type")
        if size > len(data) - position:
            raise ValueError("cut off")
        yield key >> 3, data[position : position + size]
        position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    number = 0
    for index in range(_MAX_VARINT):
        byte = data[position + index]
        number |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return number, position + index + 1
    raise ValueError("number too long")
