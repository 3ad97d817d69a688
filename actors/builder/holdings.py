"""The blobs of a creation: found, held while it goes on, and known if they are there for it only."""

from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

from actorllm.actors.blobs.pins import Pin
from actorllm.actors.blobs.writer import Stored
from actorllm.actors.builder.facts import GgufFile, gguf_facts
from actorllm.actors.builder.plan import PlannedLayer
from actorllm.actors.library.catalog import Catalog
from actorllm.actors.library.gguf import Gguf, GgufError, is_gguf, read_gguf
from actorllm.actors.library.manifests import Installed
from actorllm.protocol.errors import Refused
from actorllm.protocol.names import Name, parse_digest

__all__ = ["Holdings"]

_MAX_REASON: Final = 300


class Holdings:
    """Blobs that a pin holds.

    Args:
        catalog: Has them, or gets them.
        pin: Keeps them from being removed.
    """

    def __init__(self, catalog: Catalog, pin: Pin) -> None:
        self.store = catalog.blobs
        self.fresh: set[str] = set()
        """Those that are in the user's store because of this creation."""
        self._made: set[str] = set()
        """Those of them that were made of other blobs."""
        self._catalog = catalog
        self._pin = pin

    def model(self, name: Name) -> Installed | None:
        """Find a model and hold its blobs, before anybody can replace it and remove them.

        Raises:
            Refused: As `Catalog.find`; the disk is full: 507.
        """
        with self.store.lock.adding():
            found = self._catalog.find(name)
            for layer in () if found is None else found.manifest.blobs():
                self._pin.add(layer.digest)
        return found

    def own(self, digest: str) -> bool:
        """Hold a blob and bring it into the user's store; False: it is nowhere."""
        self._pin.add(digest)
        if not self.store.has(digest) and self._catalog.blob(digest) is not None:
            self.fresh.add(digest)
        return self._catalog.own(digest)

    def uploaded(self, spelled: str) -> str:
        """Hold a blob that a request names; return its digest.

        Raises:
            Refused: 400: it is no digest, or there is no such blob.
        """
        digest = parse_digest(spelled)
        if not self.own(digest):
            raise Refused.because(400, f"blob {digest} was not found; upload it first")
        return digest

    def path(self, digest: str) -> Path:
        """Find the file of a blob.

        Raises:
            Refused: 400: it is no digest; 409: the blob was removed meanwhile.
        """
        path = self._catalog.blob(digest)
        if path is None:
            raise _removed(f"blob {digest} was")
        return path

    def is_gguf(self, digest: str) -> bool:
        """Whether a blob is there and begins as GGUF does."""
        try:
            path = self._catalog.blob(digest)
            return path is not None and is_gguf(path)
        except (Refused, OSError):
            return False

    def gguf(self, digest: str) -> Gguf:
        """Read the header of a blob.

        Raises:
            Refused: 400: it is no sound GGUF file; 409: it was removed; 500: it cannot be read.
        """
        path = self.path(digest)
        try:
            return read_gguf(path)
        except GgufError as e:
            raise Refused.because(400, str(e)[:_MAX_REASON]) from e
        except OSError as e:
            raise Refused.because(500, f"blob {digest} cannot be read: {e.strerror}") from e

    def file(self, digest: str) -> GgufFile:
        """Tell what a creation must know of a blob; raises what `gguf` does."""
        gguf = self.gguf(digest)
        return GgufFile(digest, gguf.size, gguf_facts(gguf))

    def made(self, stored: Stored, before: AbstractSet[str]) -> GgufFile:
        """Hold a blob that was made of others.

        Args:
            stored: The blob.
            before: Those that were there already.
        """
        if stored.digest not in before:
            self.fresh.add(stored.digest)
            self._made.add(stored.digest)
        self._pin.add(stored.digest)
        if not self.store.has(stored.digest):
            raise _removed("the converted weights were")
        return self.file(stored.digest)

    def put(self, planned: PlannedLayer) -> bool:
        """Store a layer; True: it was there."""
        digest = planned.layer.digest
        if planned.data is None:
            if not self.own(digest):
                raise _removed(f"blob {digest} was")
            return digest not in self._made
        self._pin.add(digest)
        if self.store.has(digest):
            return True
        self.fresh.add(digest)
        self.store.put(planned.data)
        return False


def _removed(what: str) -> Refused:
    return Refused.because(409, f"{what} removed; create it again")
