"""Finding the daemon, and starting one when none answers."""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from actorllm.cli.errors import Failure
from actorllm.cli.probe import is_up, server_version
from actorllm.cli.text import one_line
from actorllm.protocol.address import Address
from actorllm.protocol.settings import Settings, SettingsError

if TYPE_CHECKING:
    from actorllm.cli.client import Client

__all__ = ["connect", "read_settings"]

START_SECONDS = 15.0
"""How long a new daemon may take until it answers."""

MAX_LOG = 10 * 1024 * 1024
"""A log longer than this, in bytes, is put aside before the next start."""

_POLL_SECONDS = 0.05


def read_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        Failure: A variable has a value that cannot be used.
    """
    try:
        return Settings.read(os.environ)
    except SettingsError as e:
        raise Failure(one_line(str(e))) from e


def connect(*, start: bool = True) -> "Client":
    """Return a client of the daemon; start a daemon on this machine if none answers.

    Args:
        start: Whether to start one. Without it, an absent server shows at the first request.

    Raises:
        Failure: No server answers, and none can be started.
    """
    from actorllm.cli.client import Client

    settings = read_settings()
    if settings.host.port == 0:
        raise Failure("ACTORLLM_HOST has the port 0: give the port that the server listens on")
    ours = settings.host.is_local and settings.host.scheme == "http"
    if start and ours and not is_up(settings.host):
        _start(settings)
    return Client(settings.host)


def _start(settings: Settings) -> None:
    try:
        settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        deadline = time.monotonic() + START_SECONDS
        with _starting_alone(settings.state / "start.lock", deadline):
            if is_up(settings.host):  # somebody else was faster
                return
            log = settings.state / "daemon.log"
            child = _spawn(settings, log)
            _wait(settings.host, child, log, deadline)
    except OSError as e:
        raise Failure(f"cannot start the daemon: {e.strerror}: {e.filename}") from e
    lasting = settings.state / "actorllm.log"
    click.echo(f"actorllm: started the daemon (log: {lasting})", err=True)


@contextmanager
def _starting_alone(path: Path, deadline: float) -> Iterator[None]:
    """Keep other commands from starting a daemon at the same time."""
    with path.open("w") as lock:
        while not _locked(lock):
            if time.monotonic() > deadline:
                raise Failure("another command is starting the daemon, and gets nowhere; try again")
            time.sleep(_POLL_SECONDS)
        yield


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _spawn(settings: Settings, log: Path) -> "subprocess.Popen[bytes]":
    """Start a daemon that outlives this process, its terminal and its working folder."""
    if log.exists() and log.stat().st_size > MAX_LOG:
        log.replace(log.with_suffix(".log.1"))
    folders = {
        "ACTORLLM_STATE": str(settings.state.absolute()),
        "ACTORLLM_MODELS": str(settings.models.absolute()),
    }
    if settings.models_readonly is not None:
        folders["ACTORLLM_MODELS_READONLY"] = str(settings.models_readonly.absolute())
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "actorllm.cli.main", "serve", "--quiet"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=settings.state,
            env=os.environ | folders,
            start_new_session=True,
        )


def _wait(address: Address, child: "subprocess.Popen[bytes]", log: Path, deadline: float) -> None:
    while server_version(address) is None:
        if child.poll() is not None and not is_up(address):
            raise Failure(f"the daemon ended at once: {_last_line(log)} (log: {log})")
        if time.monotonic() > deadline:
            raise Failure(f"the daemon does not answer after {START_SECONDS:.0f} s (log: {log})")
        time.sleep(_POLL_SECONDS)


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        lines = file.read().decode(errors="replace").split("\n")
    last = one_line(next((line for line in reversed(lines) if line.strip()), "it said nothing"))
    return last.removeprefix("Error: ")
