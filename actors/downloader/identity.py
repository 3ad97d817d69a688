"""The key of this installation: registries know an account by it.

It is the same kind of file as Ollama's `id_ed25519`; a copied one works here. The cryptography is
imported when somebody asks for the key, which few starts of a daemon see.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from actorllm.protocol.errors import Refused

if TYPE_CHECKING:
    from actorllm.actors.downloader.keypair import KeyPair

__all__ = ["KEY_FILE", "identity_in", "load_identity"]

KEY_FILE: Final = "id_ed25519"
_MAX_KEY_FILE: Final = 64 * 1024


async def identity_in(folder: Path) -> "KeyPair":
    """Read the key, or make it, in a thread: see `load_identity`."""
    return await trio.to_thread.run_sync(load_identity, folder)


def load_identity(folder: Path) -> "KeyPair":
    """Read the key, or make it if there is none: `id_ed25519` (mode 0600) and its `.pub`. Blocks.

    Raises:
        Refused: There is a file, but no unencrypted Ed25519 key in it: 500.
    """
    from actorllm.actors.downloader.keypair import KeyPair

    path = folder / KEY_FILE
    if not path.exists():
        _make(KeyPair.generate(), path)
    with path.open("rb") as file:
        data = file.read(_MAX_KEY_FILE)
    try:
        return KeyPair.parse(data)
    except ValueError:
        raise Refused.because(
            500, f"{KEY_FILE} in the state folder is no Ed25519 key; move it away and try again"
        ) from None


def _make(key: "KeyPair", path: Path) -> None:
    """Write a key and its public half; one that another process makes meanwhile stays."""
    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True)
    temp = folder / f".{KEY_FILE}-{os.getpid()}"
    temp.unlink(missing_ok=True)
    try:
        _write_new(temp, key.private(), 0o600)
        # A link fails where a rename would replace the other one's key.
        with suppress(FileExistsError):
            os.link(temp, path)
            (folder / f"{KEY_FILE}.pub").write_text(f"{key.public}\n", encoding="ascii")
    finally:
        temp.unlink(missing_ok=True)


def _write_new(path: Path, data: bytes, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(fd)
