"""The real registry, and the real daemon with an empty store for each test."""

import shutil

import pytest

from tests.integration.daemon import Daemon
from tests.registry.fixtures import big, proxy, registry

__all__ = ["big", "proxy", "registry"]


@pytest.fixture(scope="package")
def served(tmp_path_factory):
    daemon = Daemon(tmp_path_factory.mktemp("daemon"))
    try:
        yield daemon.wait()
    finally:
        daemon.stop()


@pytest.fixture
def daemon(served):
    """A daemon without models but its own. What a test has left is removed."""
    yield served
    shutil.rmtree(served.models / "manifests", ignore_errors=True)
    for path in (served.models / "blobs").glob("sha256-*"):
        path.unlink()
