"""A program on a pseudo-terminal, as a person would use it."""

import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from fcntl import ioctl

SECONDS = 20
_SEQUENCE = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[=>])")


class Terminal:
    """Types keys and waits for texts; `seen` is all that was shown, without its colours."""

    def __init__(self, *arguments, columns=100, **environ):
        self.seen = ""
        self._at = 0
        self._raw = b""
        main, sub = pty.openpty()
        ioctl(sub, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        environ = os.environ | {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"} | environ
        self._process = subprocess.Popen(
            [sys.executable, "-m", "actorllm.cli.main", *arguments],
            stdin=sub,
            stdout=sub,
            stderr=sub,
            env=environ,
            start_new_session=True,
            preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 -- one system call, no lock
        )
        os.close(sub)
        self._main = main

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._main)

    def type(self, keys):
        os.write(self._main, keys.encode())

    def expect(self, text):
        """Wait until a text is shown after what was expected before."""
        end = time.monotonic() + SECONDS
        while (found := self.seen.find(text, self._at)) < 0:
            if not self._more(end):
                raise AssertionError(f"no {text!r} in {self.seen[self._at :]!r}")
        self._at = found + len(text)

    def status(self):
        """Wait for the end; return the exit status."""
        end = time.monotonic() + SECONDS
        while self._more(end):
            pass
        return self._process.wait(SECONDS)

    @property
    def raw(self):
        return self._raw.decode(errors="replace")

    def _more(self, end):
        if not select.select([self._main], [], [], max(0, end - time.monotonic()))[0]:
            return False
        try:
            chunk = os.read(self._main, 65536)
        except OSError:  # the program has ended
            return False
        self._raw += chunk
        self.seen = _SEQUENCE.sub("", self.raw)
        return bool(chunk)
