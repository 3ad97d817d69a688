"""Request bodies that were compressed: undone within a bound, whatever they would become.

Under `/v1` alone: `/api` takes them as they are, and clients have seen it so.
"""

import zlib

from actorllm.http.connection import BodyTooLarge
from actorllm.protocol.errors import Refused

__all__ = ["ENCODINGS", "decoded"]

ENCODINGS = ("zstd", "gzip", "deflate")
MOST_ENCODINGS = 2
"""How often a body may be compressed."""
_ZSTD_WINDOW = 1 << 27
"""Bytes that a zstd decoder looks back at most, and may allocate for it."""


def decoded(data: bytes, encoding: str, limit: int) -> bytes:
    """Undo the `Content-Encoding` of a body.

    Args:
        data: As it was sent.
        encoding: The header; empty: there was none.
        limit: Most bytes of the result, and of what lies between.

    Raises:
        Refused: 415, the encoding is unknown; 400, the data are not what it says.
        BodyTooLarge: They become more than `limit` bytes.
    """
    names = [name.strip().lower() for name in encoding.split(",") if name.strip()]
    names = [name.removeprefix("x-") for name in names if name != "identity"]
    if len(names) > MOST_ENCODINGS or not set(names) <= set(ENCODINGS):
        known = ", ".join(ENCODINGS)
        raise Refused.because(
            415, f"Content-Encoding {encoding[:100]!r} is not supported; send {known} or none"
        )
    for name in reversed(names):  # the last one was put on last
        try:
            data = _unzstd(data, limit) if name == "zstd" else _inflated(data, name, limit)
        except ValueError:
            raise Refused.because(400, f"the body is no valid {name}") from None
    return data


def _inflated(data: bytes, name: str, limit: int) -> bytes:
    """Undo gzip, of one member or several, or deflate, with or without its header."""
    whole = bytearray()
    wraps = (31,) if name == "gzip" else (15, -15)
    while data:
        part, data = _member(data, wraps, limit - len(whole))
        whole += part
    return bytes(whole)


def _member(data: bytes, wraps: tuple[int, ...], limit: int) -> tuple[bytes, bytes]:
    for wrap in wraps:
        stream = zlib.decompressobj(wrap)
        try:
            part = stream.decompress(data, limit + 1)
        except zlib.error:
            continue
        if len(part) > limit:
            raise BodyTooLarge
        if not stream.eof:
            raise ValueError("the end is missing")
        return part, stream.unused_data
    raise ValueError("no such stream")


def _unzstd(data: bytes, limit: int) -> bytes:
    import zstandard

    decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    try:
        with decoder.stream_reader(data, read_across_frames=True) as reader:
            whole = reader.read(limit + 1)
    except zstandard.ZstdError as e:
        raise ValueError(str(e)) from None
    if len(whole) > limit:
        raise BodyTooLarge
    return whole
