"""The rest of a body, from its socket to the disk without a detour.

Through httpx each 64 KiB of a body pass four objects and two copies, which costs a fast network more
time than the disk and the digest together. Where the connection has no TLS, and the length of the body
is known, what httpx has not read yet can be taken from the socket itself, into one buffer. As long as
it comes fast, a thread takes it without a turn of the event loop for each piece: such a turn costs as
much as half a mebibyte. The connection is of no further use then.
"""

import select
import socket
import time
from collections.abc import Callable
from typing import Any, Final, Self

import httpx
import trio

__all__ = ["Carrier"]

_BUFFER: Final = 512 * 1024
"""Bytes that are written at once: few enough to be in a core's cache still."""
_LOW_WATER: Final = 256 * 1024
"""Bytes that wait in the socket before it counts as readable: fewer wake-ups."""
_LOOK: Final = 0.25
"""Seconds after which less is taken, too."""
_SLICE: Final = 0.1
"""Seconds that a thread stays; so much later ends a pull that is cancelled."""
_PAUSE: Final = 10
"""Milliseconds that a thread waits for more."""


class Carrier:
    """Takes bytes from a connection that httpx has opened.

    Args:
        own: A socket on the same connection; it is closed with the carrier.
        threads: For what blocks.
    """

    def __init__(self, own: socket.socket, threads: trio.CapacityLimiter) -> None:
        self._socket = own
        self._threads = threads
        self._buffer = memoryview(bytearray(_BUFFER))
        self._poll = select.poll()
        self._poll.register(own, select.POLLIN)

    @classmethod
    def of(cls, response: httpx.Response, threads: trio.CapacityLimiter) -> Self | None:
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
        return cls(own, threads)

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
        self._wait_for(size)
        deadline = trio.current_time() + stall
        while trio.current_time() < deadline:
            with trio.move_on_after(_LOOK):
                await trio.lowlevel.wait_readable(self._socket)
            count = await trio.to_thread.run_sync(self._take, size, write, limiter=self._threads)
            if count is not None:
                return count
        raise httpx.ReadTimeout("no bytes for too long")

    def _wait_for(self, size: int) -> None:
        """Let the socket count as readable when a good part of so many bytes is there."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, min(size, _LOW_WATER))

    def _take(self, size: int, write: Callable[[memoryview], None]) -> int | None:
        """Take what comes as long as it comes fast; None: nothing is there."""
        until = time.monotonic() + _SLICE
        count = self._fill(size)
        if not count:
            return count
        write(self._buffer[:count])
        taken = count
        while taken < size and time.monotonic() < until:
            self._wait_for(size - taken)
            if not self._poll.poll(_PAUSE) or not (count := self._fill(size - taken)):
                break  # the end is told the next time
            write(self._buffer[:count])
            taken += count
        return taken

    def _fill(self, size: int) -> int | None:
        """Read what is there into the buffer; None: nothing is."""
        wanted = min(size, _BUFFER)
        filled = 0
        while filled < wanted:
            try:
                count = self._socket.recv_into(self._buffer[filled:wanted])
            except BlockingIOError:
                return filled or None
            except OSError as e:
                if filled:
                    break  # it is told the next time
                raise httpx.ReadError(e.strerror or "the connection broke") from e
            if not count:
                break
            filled += count
        return filled

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()
