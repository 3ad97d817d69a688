"""Writing to a socket within the current turn of the event loop, and reading with one call.

Trio's `send_all` is a checkpoint even where the kernel takes everything at once: the task goes to
the back of the queue, and the loop asks for events once more before it goes on. Its `receive_some`
asks the kernel before it waits, and once more after that. A token crosses two sockets, and most of
what it costs is such turns.
"""

import os

import trio

__all__ = ["read_next", "write_now"]


def write_now(stream: trio.abc.Stream, data: bytes) -> int:
    """Write what the socket of a stream takes without waiting.

    The caller sees to it that nobody else writes meanwhile, and hands the rest to `send_all`, which
    also tells what is wrong with a stream that takes nothing.

    Returns:
        The bytes that were written; 0 if the stream has no socket, or its socket is full or broken.
    """
    if not isinstance(stream, trio.SocketStream):
        return 0
    try:
        return os.write(stream.socket.fileno(), data)
    except OSError:
        return 0


async def read_next(stream: trio.abc.ReceiveStream, size: int) -> bytes | bytearray:
    """Wait until there is something to read, and read it; empty at the end of the stream.

    Raises:
        trio.BrokenResourceError: The connection is broken.
        trio.ClosedResourceError: The stream was closed at this end.
    """
    if not isinstance(stream, trio.SocketStream):
        return await stream.receive_some(size)
    sock = stream.socket
    while True:
        if sock.fileno() < 0:
            raise trio.ClosedResourceError
        await trio.lowlevel.wait_readable(sock)
        try:
            return os.read(sock.fileno(), size)
        except BlockingIOError:
            continue
        except OSError as e:
            raise trio.BrokenResourceError from e
