"""One daemon for a state folder: a lock as long as it lives, and a file that says where it listens.

The log, the remembered rungs and the saved prompts in the folder are one writer's. The lock dies with
its process, so a daemon that was killed leaves nothing that must be removed by hand.
"""

import fcntl
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from actorllm.protocol.settings import SettingsError

__all__ = ["PATIENCE", "Claim"]

PATIENCE: Final = 5.0
"""Seconds to wait for a daemon that has just begun, or is about to end."""
_POLL: Final = 0.05
_MAX_FILE: Final = 4096


class _Other(NamedTuple):
    pid: int
    url: str


class Claim:
    """The claim of this process to a state folder, while the block lasts. Blocking.

    Args:
        state: The folder; it is made if it is missing.
        patience: Seconds to wait for another daemon, where it does not say that it is there.
    """

    def __init__(self, state: Path, *, patience: float = PATIENCE) -> None:
        self._state = state
        self._patience = patience
        self._file = state / "daemon.json"
        self._lock = -1

    def __enter__(self) -> Self:
        """Take the folder.

        Raises:
            SettingsError: Another daemon has it.
            OSError: The folder cannot be made or written to.
        """
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._lock = os.open(self._state / "daemon.lock", flags, 0o600)
        try:
            self._wait()
        except BaseException:
            os.close(self._lock)
            raise
        self.withdraw()  # what a daemon that was killed has left
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.withdraw()
        os.close(self._lock)

    def announce(self, url: str) -> None:
        """Say in the file where this daemon listens."""
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps({"pid": os.getpid(), "url": url}), encoding="utf-8")
        new.replace(self._file)

    def withdraw(self) -> None:
        """Remove the file: this daemon is about to end.

        If it cannot be removed it says nothing wrong for long: whoever has the lock next replaces it.
        """
        with suppress(OSError):
            self._file.unlink(missing_ok=True)

    def _wait(self) -> None:
        deadline = time.monotonic() + self._patience
        while not self._taken():
            other = self._announced()
            if other is not None:
                raise SettingsError(
                    f"a daemon (process {other.pid}) runs at {other.url} already, with the same state "
                    f"folder: stop it, or set ACTORLLM_HOST={other.url} to ask that one, or "
                    "ACTORLLM_STATE to another folder to run a second one"
                )
            if time.monotonic() > deadline:
                raise SettingsError(
                    "another daemon uses the state folder and does not say where it listens: "
                    "try again, or set ACTORLLM_STATE to another folder"
                )
            time.sleep(_POLL)

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _announced(self) -> _Other | None:
        """Who has the folder and where it listens; None: it does not say."""
        try:
            with self._file.open("rb") as file:
                said = json.loads(file.read(_MAX_FILE))
        except (OSError, ValueError):
            return None
        pid, url = (said.get("pid"), said.get("url")) if isinstance(said, dict) else (None, None)
        if isinstance(pid, int) and isinstance(url, str) and url.isprintable():
            return _Other(pid, url)
        return None
