"""Which models there are: the user's store, and below it the read-only ones.

Below are a folder that the user may name, and the store of the program. A name hides the same name
further below. Writing needs the store's lock, together with other writers; what removes blobs takes
it alone (see `actors.blobs.pins`). All of it blocks: call it from a thread.
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Self

import attrs

from actorllm.actors.blobs.store import BlobEntry, BlobStore
from actorllm.actors.library.manifests import Installed, ManifestFolder, Unreadable
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import Manifest, ManifestError, parse_manifest
from actorllm.protocol.names import TEMP_SUFFIX, Name, existing_spelling

__all__ = ["BUILTIN_ROOT", "Catalog", "Garbage"]

BUILTIN_ROOT: Final = Path(__file__).with_name("builtin")
"""The store that comes with the package; it holds one small model."""

_BUILTIN: Final = "comes with the program and cannot be deleted; ACTORLLM_BUILTIN=0 hides it"
_SHARED: Final = (
    "is in the read-only folder of ACTORLLM_MODELS_READONLY and cannot be deleted from here"
)

_LEFTOVER_AGE: Final = 3600.0
"""Seconds after which what nobody refers to counts as left over."""


@attrs.frozen
class Garbage:
    """What a collection removed."""

    blobs: int = 0
    strays: int = 0
    """Files that were no blobs, partial downloads among them."""
    freed: int = 0
    """Bytes."""
    skipped: str = ""
    """Why nothing was removed; empty: nothing stood in the way."""
    entries: tuple[BlobEntry, ...] = ()
    """The files."""


@attrs.frozen
class _Known:
    """What was found last; while all folders have the same, it need not be put in order again."""

    scans: list[list[Installed | Unreadable]]
    models: list[Installed]
    unreadable: list[Unreadable]

    @classmethod
    def of(cls, scans: list[list[Installed | Unreadable]]) -> Self:
        every = {found.name: found for scan in scans for found in scan}.values()
        models = [found for found in every if isinstance(found, Installed)]
        models.sort(key=lambda model: (-model.modified, model.name.full()))
        return cls(scans, models, [found for found in every if isinstance(found, Unreadable)])


class _Below:
    """A store that is read and never written.

    Args:
        root: Its folder; it may be missing.
        why_kept: Why its models cannot be deleted, and what to do instead.
        lasting: Models of the user's store may refer to its blobs; else they get copies.
    """

    def __init__(self, root: Path, why_kept: str, *, lasting: bool) -> None:
        self.blobs = BlobStore(root, read_only=True)
        self.manifests = ManifestFolder(root)
        self.why_kept = why_kept
        self.lasting = lasting


class Catalog:
    """The models of a store, on top of those of read-only ones.

    Args:
        blobs: The user's store.
        builtin: Root of the program's store; None: there is none.
        shared: Root of the user's read-only folder; None: there is none.
    """

    def __init__(
        self,
        blobs: BlobStore,
        builtin: Path | None = BUILTIN_ROOT,
        *,
        shared: Path | None = None,
    ) -> None:
        self.blobs = blobs
        self._manifests = ManifestFolder(blobs.root)
        below = []
        if shared is not None:
            below.append(_Below(shared, _SHARED, lasting=True))
        if builtin is not None:
            below.append(_Below(builtin, _BUILTIN, lasting=False))
        self._below = tuple(below)
        self._stores = (blobs, *(each.blobs for each in below))
        self._spared: frozenset[str] = frozenset()
        """Digests that nothing referred to when they were swept, but a pin held."""
        self._known = _Known.of([])

    def models(self) -> tuple[list[Installed], list[Unreadable]]:
        """Return all models, newest first, and what could not be read."""
        folders = (*(below.manifests for below in reversed(self._below)), self._manifests)
        scans = [folder.scan() for folder in folders]
        known = self._known
        if known.scans != scans:
            known = self._known = _Known.of(scans)
        return list(known.models), list(known.unreadable)

    def find(self, name: Name) -> Installed | None:
        """Return a model by its name in any case, None if there is none.

        Raises:
            Refused: The name is not valid: 400; the model's manifest cannot be read: 500.
        """
        found = self._get(name)
        if found is None:
            spelled = self.spelling(name)
            found = self._get(spelled) if spelled != name else None
        if isinstance(found, Unreadable):
            raise Refused.because(
                500, f"model '{name.short()}' is damaged ({found.reason}); pull or create it again"
            )
        return found

    def spelling(self, name: Name) -> Name:
        """Return a name in the spelling of the models that exist."""
        models, unreadable = self.models()
        names = [model.name for model in models] + [found.name for found in unreadable]
        return existing_spelling(name, names)

    def blob(self, digest: str) -> Path | None:
        """Return the file of a blob in any of the stores, None if there is none."""
        for store in self._stores:
            if store.has(digest):
                return store.path(digest)
        return None

    def size(self, digest: str) -> int | None:
        """Return the bytes of a blob in any of the stores, None if there is none."""
        found = self.stat(digest)
        return None if found is None else found.st_size

    def stat(self, digest: str) -> os.stat_result | None:
        """Return what is known of a blob's file in any of the stores, None if there is none."""
        for store in self._stores:
            found = store.stat(digest)
            if found is not None:
                return found
        return None

    def own(self, digest: str) -> bool:
        """Make sure that models of the user's store can refer to a blob. Pin it before.

        A blob of the user's read-only folder stays there; one of the program is copied, since the
        next release may come without it.

        Returns:
            False if it is nowhere.
        """
        if self.blobs.has(digest):
            return True
        for below in self._below:
            if below.blobs.has(digest):
                if not below.lasting:
                    self.blobs.import_file(below.blobs.path(digest), digest)
                return True
        return False

    def write(self, name: Name, data: bytes) -> frozenset[str]:
        """Write a model's manifest, as it is, in the spelling of `spelling`.

        Keep a pin on its blobs until this is done.

        Returns:
            Digests that the manifest before it referred to and this one does not: see `sweep`.

        Raises:
            Refused: The name or the manifest is not valid: 400; the disk is full: 507.
        """
        try:
            manifest = parse_manifest(data)
        except ManifestError as e:
            raise Refused.because(400, f"invalid manifest: {e}") from e
        with self.blobs.lock.adding():
            before = self._manifests.get(name)
            self._manifests.write(name, data)
        old = _digests(before.manifest) if isinstance(before, Installed) else frozenset()
        return old - _digests(manifest)

    def copy(self, source: Name, destination: Name) -> Name | None:
        """Give a model a second name, and remove what only the former model of that name had.

        Returns:
            The new name as it is spelled on the disk; None: there is no such source.

        Raises:
            Refused: A name is not valid: 400; the disk is full: 507.
        """
        target = self.spelling(destination)
        garbage: Iterable[str] = ()
        with self.blobs.lock.adding():  # all at once: nobody removes what the source has
            model = self.find(source)
            if model is None:
                return None
            for digest in _digests(model.manifest):
                self.own(digest)
            if model.root != self.blobs.root or model.name != target:
                garbage = self.write(target, ManifestFolder(model.root).raw(model.name))
        self.sweep(garbage)
        return target

    def delete(self, name: Name) -> int | None:
        """Remove a model, and the blobs that nothing else refers to.

        Returns:
            The bytes that were freed; None: there is no such model.

        Raises:
            Refused: The name is not valid: 400; the model is in a read-only store: 403.
        """
        spelled = name if self._get(name) is not None else self.spelling(name)
        with self.blobs.lock.removing():
            model = self._manifests.get(spelled)
            kept = next((b for b in self._below if b.manifests.get(spelled) is not None), None)
            if model is None and kept is not None:
                raise Refused.because(403, f"model '{spelled.short()}' {kept.why_kept}")
            if not self._manifests.remove(spelled):
                return None
            if isinstance(model, Unreadable) or model is None:
                return 0
            return self._sweep(_digests(model.manifest))

    def sweep(self, digests: Iterable[str] = ()) -> int:
        """Remove those of some blobs that nothing refers to, and return the bytes freed.

        What is pinned stays, and is looked at again by the next sweep: so whoever lets go of a pin
        sweeps.
        """
        with self.blobs.lock.removing():
            return self._sweep(digests)

    def collect_garbage(
        self, *, older_than: float = _LEFTOVER_AGE, dry_run: bool = False
    ) -> Garbage:
        """Remove blobs that nothing refers to and files that are no blobs, if they are old.

        Nothing is removed while a manifest cannot be read: it might refer to anything.

        Args:
            older_than: Seconds since the last change.
            dry_run: Only tell what would be removed.
        """
        with self.blobs.lock.removing():
            referred = self._referred()
            if isinstance(referred, Unreadable):
                return Garbage(skipped=f"{referred.name.short()}: {referred.reason}")
            used = referred | self.blobs.lock.pinned()
            entries = tuple(
                entry
                for entry in self.blobs.entries()
                if time.time() - entry.modified >= older_than
                and entry.digest not in used
                and not entry.path.name.endswith(TEMP_SUFFIX)
            )
            if not dry_run:
                self._manifests.remove_empty_folders()
                for entry in entries:
                    entry.path.unlink(missing_ok=True)
        blobs = sum(entry.digest is not None for entry in entries)
        freed = sum(entry.size for entry in entries)
        return Garbage(blobs, len(entries) - blobs, freed, entries=entries)

    def _get(self, name: Name) -> Installed | Unreadable | None:
        for folder in (self._manifests, *(below.manifests for below in self._below)):
            found = folder.get(name)
            if found is not None:
                return found
        return None

    def _referred(self) -> frozenset[str] | Unreadable:
        """Return all digests that models refer to, or the first reason not to know."""
        referred: set[str] = set()
        for found in self._manifests.scan():
            if isinstance(found, Unreadable):
                return found
            referred |= _digests(found.manifest)
        return frozenset(referred)

    def _sweep(self, digests: Iterable[str]) -> int:
        unused = self._spared.union(digests)
        if not unused:
            return 0
        referred = self._referred()
        if isinstance(referred, Unreadable):
            return 0
        unused -= referred
        self._spared = unused & self.blobs.lock.pinned()
        return sum(self.blobs.delete(digest) for digest in unused - self._spared)


def _digests(manifest: Manifest) -> frozenset[str]:
    return frozenset(layer.digest for layer in manifest.blobs())
