"""Starting the process of an actor: the one narrow interface (spawn, reach, watch).

Local processes are the default; simulations put tasks in place of processes, and a cluster could
put machines.
"""

import json
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

import structlog
import trio

from actorllm.actors.kernel.exits import Exit
from actorllm.actors.kernel.logs import debugging

__all__ = ["Handle", "Launcher", "ProcessLauncher", "child_environment"]

_KEEP_LINES = 40
"""Lines of standard error that are kept."""
_MAX_LINE = 2000
_LEVELS = frozenset({"debug", "info", "warning", "error", "critical"})

_PASSED = ("ACTORLLM_", "OLLAMA_", "LC_", "OMP_", "GOMP_", "GGML_", "LLAMA_", "CUDA_", "HIP_",
           "ROCR_", "NVIDIA_", "PYTHON", "LD_")  # fmt: skip
_PASSED_NAMES = {"PATH", "HOME", "LANG", "TZ", "TMPDIR", "USER", "VIRTUAL_ENV", "GLIBC_TUNABLES"}
_SECRET = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that a child process gets; nothing that looks like a secret."""
    return {
        name: value
        for name, value in environ.items()
        if (name in _PASSED_NAMES or name.startswith(_PASSED))
        and not any(word in name.upper() for word in _SECRET)
    }


class Handle(Protocol):
    """A process that was started."""

    stream: trio.abc.Stream
    pid: int

    async def run(self) -> None:
        """Read what it says on standard error until that is closed."""

    async def wait(self) -> Exit:
        """Wait for its end."""

    def terminate(self) -> None:
        """Ask it and its children to end."""

    def kill(self) -> None:
        """End it and its children at once; synchronous, harmless when they have ended."""

    def last_words(self) -> tuple[str, ...]:
        """The last lines of its standard error."""


class Launcher(Protocol):
    """Starts processes."""

    async def launch(self, path: str) -> Handle:
        """Start a process that will host the actor at `path`.

        Raises:
            OSError: It could not be started.
        """


class ProcessLauncher:
    """Starts this Python with `child.py`, in a session of its own, over a socketpair."""

    async def launch(self, path: str) -> "ProcessHandle":
        ours, theirs = socket.socketpair()
        try:
            command = [sys.executable, "-m", "actorllm.actors.kernel.child"]
            process = await trio.lowlevel.open_process(
                [*command, str(theirs.fileno()), path],
                pass_fds=[theirs.fileno()],
                stdin=-3,  # devnull
                stderr=-1,  # a pipe
                start_new_session=True,
                env=child_environment(os.environ) | {"ACTORLLM_DEBUG": "1" if debugging() else ""},
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        log = structlog.get_logger("actorllm").bind(actor=path)
        return ProcessHandle(process, stream, log)


class ProcessHandle:
    """A local process group."""

    def __init__(self, process: trio.Process, stream: trio.abc.Stream, log: Any) -> None:
        self._process = process
        self._log = log
        self._lines: deque[str] = deque(maxlen=_KEEP_LINES)
        self._ended = False
        self.stream = stream
        self.pid = process.pid

    async def run(self) -> None:
        pipe = self._process.stderr
        assert pipe is not None
        rest = b""
        async with pipe:
            async for data in pipe:
                *lines, rest = (rest + data).split(b"\n")
                rest = rest[-_MAX_LINE:]
                for line in lines:
                    self._keep(line)
        if rest:
            self._keep(rest)

    def _keep(self, line: bytes) -> None:
        text = line[:_MAX_LINE].decode("utf-8", "replace").rstrip()
        if text:
            self._lines.append(text)
            _relay(self._log, text)

    async def wait(self) -> Exit:
        code = await self._process.wait()
        if code == 0:
            return Exit("normal", "process ended")
        if code > 0:
            return Exit("crashed", f"process exited with status {code}", None, self.last_words())
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return Exit("killed", f"process was killed by {name}", -code, self.last_words())

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        # The group outlives its leader, so it is signalled even if the leader was reaped, but
        # only once: the number could be given to another group later.
        if self._ended:
            return
        self._ended = number is signal.SIGKILL
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return

    def last_words(self) -> tuple[str, ...]:
        return tuple(self._lines)


def _relay(log: Any, line: str) -> None:
    """Let a child's line join our log: its own structured lines as they are, others as a fact."""
    try:
        fields = json.loads(line) if line.startswith("{") else None
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or not isinstance(fields.get("event"), str):
        log.info("child says", line=line)
        return
    level = str(fields.pop("level", "info"))
    fields.pop("timestamp", None)
    event = fields.pop("event")
    say = getattr(log, level if level in _LEVELS else "info")
    say(event, **{k: v for k, v in fields.items() if k.isidentifier() and k != "self"})
