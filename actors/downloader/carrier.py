"""The rest of a body, from its socket to the disk without a detour.

Through httpx each 64 KiB of a body pass four objects and two copies, which costs a fast network more
time than the disk and the digest together. Where the connection has no TLS, and the length of the body
is known, what httpx has not read yet can be taken from the socket itself: in threads, a mebibyte at a
time, into one buffer. The connection is of no further use then.
"""

import socket
from collections.abc import Callable
from typing import Any, Final, Self

import httpx
import trio

__all__ = ["Carrier"]

_BUFFER: Final = 1024 * 1024
_LOW_WATER: Final = 256 * 1024
"""Bytes that wait in the socket before it counts as readable: fewer wake-ups."""
_LOOK: Final = 0.25
"""Seconds after which less is taken, too."""


class Carrier:
    """Takes bytes from a connection that httpx has opened.

    Args:
        own: A socket on the same connection; it is closed with the carrier.
    """

    def __init__(self, own: socket.socket) -> None:
        self._socket = own
        self._buffer = memoryview(bytearray(_BUFFER))

    @classmethod
    def of(cls, response: httpx.Response) -> Self | None:
        """Return a carrier for what httpx has not read of a body; None: httpx must read it."""
        headers = response.headers
        stream: Any = response.extensions.get("network_stream")
        if stream is None or "transfer-encoding" in headers or "content-length" not in headers:
            return None
        if stream.get_extra_info("ssl_object") is not None:
            return None
        theirs = stream.get_extra_info("socket")
        if theirs is None:
            return None
        own = socket.fromfd(theirs.fileno(), theirs.family, theirs.type)
        own.setblocking(False)
        return cls(own)

    async def carry(self, size: int, write: Callable[[memoryview], None], stall: float) -> int:
        """Hand on what comes next.

        Args:
            size: Bytes that are wanted at most.
            write: Called in a thread.
            stall: Seconds without a byte after which the connection counts as dead.

        Returns:
            Bytes; 0: the other side has closed the connection.

        Raises:
            httpx.ReadTimeout: It is dead.
            httpx.ReadError: It broke.
        """
        wanted = min(size, _BUFFER)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, min(wanted, _LOW_WATER))
        deadline = trio.current_time() + stall
        while trio.current_time() < deadline:
            with trio.move_on_after(_LOOK):
                await trio.lowlevel.wait_readable(self._socket)
            count = await trio.to_thread.run_sync(self._step, wanted, write)
            if count is not None:
                return count
        raise httpx.ReadTimeout("no bytes for too long")

    def _step(self, wanted: int, write: Callable[[memoryview], None]) -> int | None:
        """Take what is there; None: nothing."""
        filled = 0
        while filled < wanted:
            try:
                count = self._socket.recv_into(self._buffer[filled:wanted])
            except BlockingIOError:
                if not filled:
                    return None
                break
            except OSError as e:
                if filled:
                    break  # it is told the next time
                raise httpx.ReadError(e.strerror or "the connection broke") from e
            if not count:
                break
            filled += count
        if filled:
            write(self._buffer[:filled])
        return filled

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()
