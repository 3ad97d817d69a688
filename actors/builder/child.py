"""Running a child process that writes files. It blocks for moments: call it from a thread."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BufferedRandom
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

import attrs

from actorllm.actors.kernel.launch import child_environment
from actorllm.protocol.errors import Refused

__all__ = ["Child", "running"]

_STEP: Final = 0.25
"""Seconds between two looks at the process."""
_STALL: Final = 900.0
"""Seconds without a byte written after which the process counts as stuck."""
_LAST_WORDS: Final = 4096
_MAX_SAID: Final = 1 << 16
_MAX_REASON: Final = 300


@attrs.frozen
class Child:
    """A process at work."""

    what: str
    """What it does, for messages: `quantizing`."""
    _process: subprocess.Popen[bytes]
    _said: BufferedRandom
    _words: BufferedRandom

    def sizes(self, targets: Sequence[Path]) -> Iterator[int]:
        """Tell the bytes written, again and again until the process has ended.

        Raises:
            Refused: It is stuck: 500.
        """
        size, grown = 0, time.monotonic()
        while True:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STEP)
                return
            now = sum(target.stat().st_size for target in targets)
            if now != size:
                size, grown = now, time.monotonic()
            elif time.monotonic() - grown > _STALL:
                problem = f"{self.what} is stuck: nothing written for {_STALL:.0f} s"
                raise Refused.because(500, problem)
            yield size

    def said(self) -> bytes:
        """Return what it has written to standard output so far, at most 64 KiB."""
        self._said.seek(0)
        return self._said.read(_MAX_SAID)

    def check(self, folders: Sequence[Path]) -> None:
        """See how it ended.

        Args:
            folders: Those whose names must not be in an answer.

        Raises:
            Refused: It failed: 400 with its last words, 500 if a signal ended it.
        """
        code = self._process.returncode
        if code < 0:
            ended = f"signal {-code}"
            with suppress(ValueError):
                ended = signal.Signals(-code).name
            raise Refused.because(500, f"{self.what} failed: the process was ended by {ended}")
        if code:
            raise Refused.because(400, f"{self.what} failed: {self._last_line(folders)}")

    def _last_line(self, folders: Sequence[Path]) -> str:
        size = self._words.seek(0, os.SEEK_END)
        self._words.seek(max(0, size - _LAST_WORDS))
        lines = self._words.read().decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "no reason was given")
        for folder in folders:
            last = last.replace(f"{folder}{os.sep}", "")
        return "".join(c for c in last if c.isprintable()).strip()[:_MAX_REASON]


@contextmanager
def running(what: str, module: str, arguments: Sequence[str]) -> Iterator[Child]:
    """Start a module of ours in a session of its own; at the end of the block it is ended.

    Its standard input is closed then, or with this process, which must end it.

    Args:
        what: See `Child.what`.
        module: Its full name.
        arguments: Of its command line.
    """
    with TemporaryFile() as said, TemporaryFile() as words:
        process = subprocess.Popen(  # noqa: S603 -- our own module, no shell
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=words,
            start_new_session=True,
            env={**child_environment(os.environ), "GGML_NO_BACKTRACE": "1"},
        )
        try:
            yield Child(what, process, said, words)
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdin is not None:
        process.stdin.close()
