"""Frames over a byte stream: what a process and its child say to each other.

A frame is a length and a CRC-32 (big-endian, 4 bytes each) and a msgpack array whose first
element is an `Op`. What is sent within one turn of the event loop leaves in one write, so a
decode step of many streams costs one system call.
"""

import enum
import struct
import zlib
from typing import Any

import msgpack
import trio

from actorllm.actors.kernel.sockets import read_next, write_now
from actorllm.protocol.codec import MAX_FRAME

__all__ = ["Link", "LinkError", "Op"]

_HEADER = struct.Struct(">II")
_MAX_FRAME = MAX_FRAME + 64 * 1024
_MAX_PENDING = 2 * _MAX_FRAME
"""Bytes that may wait to be written before the peer counts as dead."""
_READ_SIZE = 256 * 1024


class Op(enum.IntEnum):
    """The first element of a frame, with what follows it."""

    HELLO = 0
    """version, entry, args frame, path, trace"""
    READY = 1
    """pid"""
    FAILED = 2
    """text: the actor could not be made"""
    DELIVER = 3
    """id, kind, tag, message frame, seconds to the deadline or None, trace, window"""
    RESOLVE = 4
    """id, reply frame"""
    FAIL = 5
    """id, failure frame"""
    OPENED = 6
    """id"""
    ITEM = 7
    """id, item frame"""
    CLOSE = 8
    """id, failure frame or None"""
    GRANT = 9
    """id, count"""
    LEAVE = 10
    """id"""
    PING = 11
    """number"""
    PONG = 12
    """number, snapshot frame of the child's actor or None"""
    STOP = 13
    ENDED = 14
    """exit frame: the child's actor has ended"""


class LinkError(Exception):
    """The peer is gone, or does not keep to the protocol."""


class Link:
    """One end of a transport.

    Args:
        stream: A reliable byte stream; the link owns it.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._out: list[bytes] = []
        self._pending = 0
        self._wake = trio.Event()
        self._failed: str | None = None
        self._in = bytearray()
        self._at = 0

    def send(self, *fields: Any) -> None:
        """Queue a frame; `run_writer` writes it. Never waits."""
        payload = msgpack.packb(fields, use_bin_type=True)
        self._pending += len(payload)
        if self._pending > _MAX_PENDING:
            self._failed = f"peer does not read: {self._pending} bytes wait"
        self._out.append(_HEADER.pack(len(payload), zlib.crc32(payload)))
        self._out.append(payload)
        self._wake.set()

    async def run_writer(self) -> None:
        """Write what is queued, for ever.

        Raises:
            LinkError: The peer is gone or does not read.
        """
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            if self._failed is not None:
                raise LinkError(self._failed)
            data, self._out, self._pending = b"".join(self._out), [], 0
            written = write_now(self._stream, data)
            if written == len(data):
                continue
            try:
                await self._stream.send_all(memoryview(data)[written:])
            except (trio.BrokenResourceError, trio.ClosedResourceError) as e:
                raise LinkError("peer closed the transport") from e

    async def receive(self) -> list[Any] | None:
        """Wait for a frame; None when the peer has closed.

        Raises:
            LinkError: A frame is too large, damaged or cut.
        """
        while True:
            payload = self._next_payload()
            if payload is not None:
                return payload
            try:
                data = await read_next(self._stream, _READ_SIZE)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as e:
                raise LinkError("transport broke") from e
            if not data:
                if self._at < len(self._in):
                    raise LinkError("transport was cut within a frame")
                return None
            del self._in[: self._at]
            self._at = 0
            self._in += data

    def _next_payload(self) -> list[Any] | None:
        """Take a whole frame from what was read, if there is one."""
        if len(self._in) - self._at < _HEADER.size:
            return None
        length, crc = _HEADER.unpack_from(self._in, self._at)
        if length > _MAX_FRAME:
            raise LinkError(f"frame of {length} bytes is over the limit of {_MAX_FRAME}")
        begin = self._at + _HEADER.size
        if len(self._in) < begin + length:
            return None
        self._at = begin + length
        return self._decode(bytes(memoryview(self._in)[begin : self._at]), crc)

    @staticmethod
    def _decode(payload: bytes, crc: int) -> list[Any]:
        if zlib.crc32(payload) != crc:
            raise LinkError("damaged frame")
        try:
            fields = msgpack.unpackb(payload)
        except (ValueError, msgpack.UnpackException) as e:
            raise LinkError("frame is not msgpack") from e
        if not isinstance(fields, list) or not fields or not isinstance(fields[0], int):
            raise LinkError("frame has no operation")
        return fields

    async def aclose(self) -> None:
        await self._stream.aclose()
