"""Daemons for tests. A daemon that tests share must be unharmed after each of them."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.daemon import Daemon

_LAST_LINES = 60


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Daemon]]:
    """Starts daemons with the variables that it is given; all are reaped at the end."""
    started: list[Daemon] = []

    def begin(**environ: str) -> Daemon:
        daemon = Daemon(tmp_path_factory.mktemp("daemon"), **environ)
        started.append(daemon)
        return daemon.wait()

    yield begin
    for daemon in started:
        daemon.stop()


@pytest.fixture(scope="session")
def shared_daemon(start: Callable[..., Daemon]) -> Daemon:
    return start()


@pytest.fixture
def daemon(shared_daemon: Daemon) -> Iterator[Daemon]:
    """A daemon with the defaults. After the test it is idle, and only runners have died."""
    before = shared_daemon.pinned()
    yield shared_daemon
    shared_daemon.until_idle()
    assert shared_daemon.pinned() == before
    assert set(before) == {"/", "/blobs", "/library", "/builder", "/scheduler", "/queue", "/edge"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Attach the logs of the daemons that a failed test had."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Daemon):
                lines = [line for line in value.log.splitlines() if "/api/actors" not in line]
                report.sections.append((f"log of {name}", "\n".join(lines[-_LAST_LINES:])))
    return report


@pytest.fixture(scope="session")
def bert_file() -> Path:
    """Weights of an embedding model."""
    return Path(__file__).parents[1] / "goldens" / "library" / "tiny-bert.gguf"


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Writes a line to the terminal, whether or not the test fails."""

    def line(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}\n")

    return line
