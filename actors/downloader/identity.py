"""The key of this installation: registries know an account by it.

It is the same kind of file as Ollama's `id_ed25519`; a copied one works here.
"""

import base64
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from actorllm.protocol.errors import Refused

__all__ = ["KEY_FILE", "Identity", "load_identity", "signed_bytes"]

KEY_FILE: Final = "id_ed25519"
_MAX_KEY_FILE: Final = 64 * 1024
_EMPTY_BODY: Final = base64.b64encode(hashlib.sha256().hexdigest().encode()).decode()


class Identity:
    """An Ed25519 key pair."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        self.public = public.decode()
        """One line, as in an `authorized_keys` file."""

    def authorization(self, method: str, url: str) -> str:
        """Return the header that signs a request without a body."""
        signature = self._key.sign(signed_bytes(method, url))
        return f"{self.public.split()[1]}:{base64.b64encode(signature).decode()}"


def signed_bytes(method: str, url: str) -> bytes:
    """Return what is signed of a request without a body."""
    return f"{method},{url},{_EMPTY_BODY}".encode()


def load_identity(folder: Path) -> Identity:
    """Read the key, or make it if there is none: `id_ed25519` (mode 0600) and its `.pub`. Blocks.

    Raises:
        Refused: There is a file, but no unencrypted Ed25519 key in it: 500.
    """
    path = folder / KEY_FILE
    with suppress(FileNotFoundError):
        return _read(path)
    folder.mkdir(parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    data = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    temp = folder / f".{KEY_FILE}-{os.getpid()}"
    temp.unlink(missing_ok=True)
    try:
        _write_new(temp, data, 0o600)
        # A link fails where a rename would replace the key that another process made meanwhile.
        with suppress(FileExistsError):
            os.link(temp, path)
            public = Identity(key).public
            (folder / f"{KEY_FILE}.pub").write_text(f"{public}\n", encoding="ascii")
    finally:
        temp.unlink(missing_ok=True)
    return _read(path)


def _read(path: Path) -> Identity:
    with path.open("rb") as file:
        data = file.read(_MAX_KEY_FILE)
    try:
        key = load_ssh_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise Refused.because(
            500, f"{KEY_FILE} in the state folder is no Ed25519 key; move it away and try again"
        )
    return Identity(key)


def _write_new(path: Path, data: bytes, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(fd)
