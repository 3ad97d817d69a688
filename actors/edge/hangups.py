"""Noticing clients that have gone while nobody reads from them.

While a request is answered Hypercorn may not read its socket: bytes after the body (even one CRLF)
pause it, and so does a body that nobody takes. The end of the connection then lies unread in the
kernel until the next write, which in a long prefill may be minutes away. Polling for it costs one
system call for all connections.
"""

import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

__all__ = ["Hangups"]

INTERVAL = 0.5
"""Seconds between two looks."""

# Linux tells that the peer will send no more even while there are bytes to read; elsewhere only a
# connection that is closed on both sides can be seen.
_GONE = getattr(select, "POLLRDHUP", 0) or select.POLLHUP


class Hangups:
    """Watches sockets and calls back, once, when their peer has gone."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._some = trio.Event()

    @contextmanager
    def watch(self, fd: int, gone: Callable[[], None]) -> Iterator[None]:
        """Watch a socket within a block. The socket may be closed, and its number reused, in it."""
        self._callbacks[fd] = gone
        self._poll.register(fd, _GONE)
        self._some.set()
        try:
            yield
        finally:
            if self._callbacks.get(fd) is gone:
                self._forget(fd)

    def _forget(self, fd: int) -> None:
        self._poll.unregister(fd)
        del self._callbacks[fd]

    async def run(self) -> None:
        """Look again and again, while there is anything to look at."""
        while True:
            if not self._callbacks:
                self._some = trio.Event()
                await self._some.wait()
            await trio.sleep(INTERVAL)
            self.look()

    def look(self) -> None:
        """Call back for every peer that has gone."""
        if not self._callbacks:
            return
        for fd, _ in self._poll.poll(0):
            gone = self._callbacks[fd]
            self._forget(fd)
            gone()
