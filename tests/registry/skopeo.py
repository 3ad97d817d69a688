"""skopeo, a client for registries and archives by others."""

import shutil
import subprocess

import pytest

__all__ = ["needs_skopeo", "skopeo"]

needs_skopeo = pytest.mark.skipif(
    shutil.which("skopeo") is None, reason="Debian's package skopeo is not installed"
)


def skopeo(*args):
    """Run it; returns what it prints. It blocks."""
    done = subprocess.run(["skopeo", *args], capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
