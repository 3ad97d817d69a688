"""The processes of a simulation: tasks that host an actor behind an in-memory transport."""

import trio
import trio.testing

from actorllm.actors.kernel import child
from actorllm.actors.kernel.exits import Exit

__all__ = ["MemoryHandle", "MemoryLauncher"]


class MemoryLauncher:
    """Starts tasks in the place of processes.

    Args:
        nursery: Where they run; outside the tree, as processes are.
    """

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._next_pid = 100

    async def launch(self, path: str) -> "MemoryHandle":
        await trio.lowlevel.checkpoint()
        self._next_pid += 1
        handle = MemoryHandle(self._next_pid)
        self._nursery.start_soon(handle.live, name=f"{path} process {handle.pid}")
        return handle


class MemoryHandle:
    """A task in the place of a process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.stream: trio.abc.Stream
        self.stream, self._theirs = trio.testing.memory_stream_pair()
        self._scope = trio.CancelScope()
        self._exit: Exit | None = None
        self._ended = trio.Event()

    async def live(self) -> None:
        """Host the actor, as the main of a child process does."""
        try:
            with self._scope:
                hosted = await child.host(self._theirs)
                text = "process exited with status 1"
                self._end(Exit("crashed", text) if hosted.is_failure else Exit("normal", "ended"))
        finally:
            self._end(Exit("killed", "process was killed by SIGKILL", 9))

    def _end(self, exit_: Exit) -> None:
        """What the kernel does for a process that ends: keep its status, close its socket."""
        if self._exit is None:
            self._exit = exit_
        _cut(self._theirs)
        self._ended.set()

    async def run(self) -> None:
        await self._ended.wait()

    async def wait(self) -> Exit:
        await self._ended.wait()
        assert self._exit is not None
        return self._exit

    def terminate(self) -> None:
        self._kill(Exit("killed", "process was killed by SIGTERM", 15))

    def kill(self) -> None:
        self._kill(Exit("killed", "process was killed by SIGKILL", 9))

    def _kill(self, exit_: Exit) -> None:
        if self._exit is None:
            self._exit = exit_
        _cut(self._theirs)  # nothing that it does while it is cancelled gets out
        self._scope.cancel()

    def last_words(self) -> tuple[str, ...]:
        return ()


def _cut(
    stream: trio.StapledStream[trio.testing.MemorySendStream, trio.testing.MemoryReceiveStream],
) -> None:
    stream.send_stream.close()
    stream.receive_stream.close()
