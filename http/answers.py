"""What is being answered: so that no answer ends without a word when the daemon does."""

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from actorllm.protocol.errors import Refused

__all__ = ["Answers", "stopping"]

_STOPPING = "the server is stopping, please try again in a moment"
_BACK_AGAIN = 5
"""Seconds after which another daemon may be there."""


def stopping() -> Refused:
    """Refuse a request, or end its answer early, since the daemon was told to stop."""
    return Refused.because(503, _STOPPING, retry_after=_BACK_AGAIN)


class Answers:
    """The requests that are being answered, from their head to the last byte of the answer.

    First they are taken in; after `close` no more are, and those that run may come to their end;
    `cut` ends what is left. A request that is cut still runs until it has said so.
    """

    def __init__(self) -> None:
        self.closed = False
        """Whether whoever comes now is to be refused."""
        self.running = 0
        """Requests that were taken in and are not over."""
        self._is_cut = False
        self._scopes: set[trio.CancelScope] = set()
        self._none = trio.Event()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Count a request while it is answered; nobody waits for those that come after the close."""
        if self.closed:
            yield
            return
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            if not self.running:
                self._none.set()

    @contextmanager
    def cuttable(self) -> Iterator[trio.CancelScope]:
        """Give the scope of a block that `cut` cancels, now or later."""
        with trio.CancelScope() as scope:
            if self._is_cut:
                scope.cancel()
            self._scopes.add(scope)
            try:
                yield scope
            finally:
                self._scopes.discard(scope)

    def close(self) -> None:
        """Take no more in."""
        self.closed = True

    def cut(self) -> None:
        """End what runs."""
        self._is_cut = True
        for scope in tuple(self._scopes):
            scope.cancel()

    async def none_left(self) -> None:
        """Wait until nothing runs."""
        while self.running:
            self._none = trio.Event()
            await self._none.wait()
