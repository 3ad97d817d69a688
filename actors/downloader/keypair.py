"""An Ed25519 key pair as OpenSSH writes it, and the signatures that registries know."""

import base64
import hashlib
from typing import Final, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

__all__ = ["KeyPair", "signed_bytes"]

_EMPTY_BODY: Final = base64.b64encode(hashlib.sha256().hexdigest().encode()).decode()


class KeyPair:
    """An Ed25519 key pair."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        self.public = public.decode()
        """One line, as in an `authorized_keys` file."""

    @classmethod
    def generate(cls) -> Self:
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a file of OpenSSH's.

        Raises:
            ValueError: There is no unencrypted Ed25519 key in it.
        """
        try:
            key = load_ssh_private_key(data, password=None)
        except (TypeError, UnsupportedAlgorithm) as e:
            raise ValueError(str(e)) from e
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("another kind of key")  # noqa: TRY004 -- the file is wrong, no caller
        return cls(key)

    def private(self) -> bytes:
        """Return the file that `parse` reads."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())

    def authorization(self, method: str, url: str) -> str:
        """Return the header that signs a request without a body."""
        signature = self._key.sign(signed_bytes(method, url))
        return f"{self.public.split()[1]}:{base64.b64encode(signature).decode()}"


def signed_bytes(method: str, url: str) -> bytes:
    """Return what is signed of a request without a body."""
    return f"{method},{url},{_EMPTY_BODY}".encode()
