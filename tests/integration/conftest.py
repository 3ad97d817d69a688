"""Daemons for tests. A daemon that tests share must be unharmed after each of them."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.daemon import Daemon

_LAST_LINES = 60


class Starter:
    """Starts daemons with the arguments that it is given; see `Daemon`."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self.started: list[Daemon] = []

    def __call__(self, **arguments: str) -> Daemon:
        daemon = Daemon(self._folders.mktemp("daemon"), **arguments)
        self.started.append(daemon)
        return daemon.wait()


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    """Starts daemons; all are reaped at the end."""
    starter = Starter(tmp_path_factory)
    yield starter
    for daemon in starter.started:
        daemon.stop()


@pytest.fixture(scope="session")
def shared_daemon(start: Starter) -> Daemon:
    return start()


@pytest.fixture
def daemon(shared_daemon: Daemon) -> Iterator[Daemon]:
    """A daemon with the defaults. After the test it is idle, and only runners have died."""
    before = shared_daemon.pinned()
    yield shared_daemon
    shared_daemon.until_idle()
    assert shared_daemon.pinned() == before


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Attach the log of the daemon that a failed test had."""
    report = yield
    if report.failed:
        values = list(getattr(item, "funcargs", {}).values())
        daemons = [value for value in values if isinstance(value, Daemon)]
        starters = [value for value in values if isinstance(value, Starter)]
        for daemon in daemons or [d for starter in starters for d in starter.started[-1:]]:
            lines = [line for line in daemon.log.splitlines() if "/api/actors" not in line]
            report.sections.append((f"log of {daemon.url}", "\n".join(lines[-_LAST_LINES:])))
    return report


@pytest.fixture(scope="session")
def bert_file() -> Path:
    """Weights of an embedding model."""
    return Path(__file__).parents[1] / "goldens" / "exchanges" / "tiny-bert.gguf"


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Writes a line to the terminal, whether or not the test fails."""

    def line(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}\n")

    return line
