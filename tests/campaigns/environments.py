"""Environments for programs that are not dependencies of ours: made once, kept in a cache folder.

A folder's name holds a hash of what is in it, so another version gets another folder. It is made
under another name and renamed when it is complete: an install that was broken off leaves nothing
that looks whole.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path, PurePosixPath

__all__ = ["npm_folder", "python_of", "sdist_folder"]

INSTALL_SECONDS = 540.0


def python_of(name: str, *requirements: str) -> Path:
    """Return the Python of a virtual environment that has these packages."""
    folder = _made(name, requirements, lambda target: _install_python(target, requirements))
    return folder / "bin" / "python"


def npm_folder(name: str, *requirements: str) -> Path:
    """Return a folder whose `node_modules` has these packages, each `name@version`."""
    return _made(name, requirements, lambda target: _install_npm(target, requirements))


def sdist_folder(name: str, requirement: str, inside: str) -> Path:
    """Return a folder with the files of one folder of a source distribution.

    Args:
        name: Of the folder.
        requirement: `package==version`.
        inside: The folder within the distribution, below its first one.
    """
    return _made(name, (requirement, inside), lambda target: _take(target, requirement, inside))


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "actorllm-campaigns"


def _made(name: str, requirements: tuple[str, ...], make: Callable[[Path], None]) -> Path:
    facts = json.dumps([sys.version_info[:2], requirements]).encode()
    folder = _cache() / f"{name}-{hashlib.sha256(facts).hexdigest()[:12]}"
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    # A virtual environment cannot be moved, so what marks it as whole is a link beside it.
    target = folder.with_name(f"{folder.name}.{os.getpid()}")
    try:
        make(target)
        folder.symlink_to(target.name, target_is_directory=True)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return folder


def _install_python(target: Path, requirements: tuple[str, ...]) -> None:
    venv.create(target, with_pip=True)
    python = target / "bin" / "python"
    _run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements])


def _install_npm(target: Path, requirements: tuple[str, ...]) -> None:
    target.mkdir()
    (target / "package.json").write_text('{"private": true, "type": "module"}')
    _run(["npm", "install", "--silent", "--no-audit", "--no-fund", *requirements], cwd=target)


def _take(target: Path, requirement: str, inside: str) -> None:
    target.mkdir()
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        _run([*download, "--no-binary", ":all:", "--dest", folder, requirement])
        (archive,) = Path(folder).glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if member.isfile() and str(PurePosixPath(*path.parts[1:-1])) == inside:
                    data = tar.extractfile(member)
                    assert data is not None
                    (target / path.name).write_bytes(data.read())


def _run(command: list[str | Path], cwd: Path | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout[-2000:]}")
