"""Manifests on disk: `<root>/manifests/<host>/<namespace>/<model>/<tag>`.

All of it blocks: call it from a thread.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from actorllm.actors.blobs.files import no_space_refused, write_atomically
from actorllm.protocol.manifest import (
    MAX_MANIFEST,
    Manifest,
    ManifestError,
    model_id,
    parse_manifest,
)
from actorllm.protocol.names import Name, name_of_path

__all__ = ["Installed", "ManifestFolder", "Unreadable"]


_SETTLED: Final = 2_000_000_000
"""Nanoseconds: no file system counts times in coarser steps."""


@attrs.frozen
class Installed:
    """A model whose manifest was read."""

    name: Name
    digest: str
    """SHA-256 of the manifest's file, bare hex."""
    manifest: Manifest
    modified: int
    """Unix nanoseconds."""
    root: Path
    """Of the store that it is in."""


@attrs.frozen
class Unreadable:
    """A file with a model's name that is no manifest."""

    name: Name
    reason: str


@attrs.frozen
class _Seen:
    stamp: tuple[int, int, int]
    """Modification time, size and inode: the file is the same while they are."""
    is_settled: bool
    """False: it was so young when it was read that another writing may have left the same stamp."""
    found: Installed | Unreadable


class ManifestFolder:
    """The manifests below a root; what was read once is remembered while its file is the same."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / "manifests"
        self._seen: dict[tuple[str, str, str, str], _Seen] = {}

    def scan(self) -> list[Installed | Unreadable]:
        """Read all manifests, in no order. Files whose path is no valid name are skipped."""
        found: list[Installed | Unreadable] = []
        seen: dict[tuple[str, str, str, str], _Seen] = {}
        for parts, entry in _walk(self._folder):
            with suppress(OSError):
                known = self._look(parts, entry.path, entry.stat())
                if known is not None:
                    seen[parts] = known
                    found.append(known.found)
        self._seen = seen
        return found

    def get(self, name: Name) -> Installed | Unreadable | None:
        """Read the manifest of exactly this name, None if there is none."""
        parts = name.path_parts()
        path = self._folder.joinpath(*parts)
        try:
            known = self._look(parts, path, path.stat())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as e:
            return Unreadable(name, e.strerror or "cannot be read")
        if known is None:
            return None
        self._seen[parts] = known
        return known.found

    def raw(self, name: Name) -> bytes:
        """Return a manifest's file as it is."""
        return self._folder.joinpath(*name.path_parts()).read_bytes()

    def write(self, name: Name, data: bytes) -> None:
        """Write a manifest's file as it is; the old one is there until the new one is.

        Raises:
            Refused: The name is not valid: 400; the disk is full: 507.
        """
        path = self._folder.joinpath(*name.path_parts())
        with no_space_refused():
            path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)

    def remove(self, name: Name) -> bool:
        """Remove a manifest and the folders that it leaves empty. False: there was none."""
        path = self._folder.joinpath(*name.path_parts())
        try:
            path.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return False
        for folder in list(path.parents)[:3]:
            if not _remove_empty(folder):
                break
        return True

    def remove_empty_folders(self) -> None:
        """Remove folders that hold no manifest any more."""
        for folder, _, _ in os.walk(self._folder, topdown=False):
            if Path(folder) != self._folder:
                _remove_empty(Path(folder))

    def _look(
        self, parts: tuple[str, str, str, str], path: str | Path, stat: os.stat_result
    ) -> _Seen | None:
        stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        known = self._seen.get(parts)
        if known is not None and known.is_settled and known.stamp == stamp:
            return known
        name = name_of_path(parts)
        if name is None:
            return None
        is_settled = time.time_ns() - stat.st_mtime_ns >= _SETTLED
        found = self._read(name, Path(path), stat)
        if known is not None and known.found == found:
            found = known.found
        return _Seen(stamp, is_settled, found)

    def _read(self, name: Name, path: Path, stat: os.stat_result) -> Installed | Unreadable:
        try:
            with path.open("rb") as file:
                data = file.read(MAX_MANIFEST + 1)  # one more than is accepted
            manifest = parse_manifest(data)
        except (ManifestError, OSError) as e:
            reason = e.strerror if isinstance(e, OSError) else str(e)
            return Unreadable(name, reason or "cannot be read")
        return Installed(name, model_id(data), manifest, stat.st_mtime_ns, self._root)


def _walk(root: Path) -> Iterator[tuple[tuple[str, str, str, str], os.DirEntry[str]]]:
    for host in _folders(root):
        for namespace in _folders(host.path):
            for model in _folders(namespace.path):
                for tag in _entries(model.path):
                    if tag.is_file():
                        yield (host.name, namespace.name, model.name, tag.name), tag


def _folders(path: Path | str) -> list[os.DirEntry[str]]:
    return [entry for entry in _entries(path) if entry.is_dir()]


def _entries(path: Path | str) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(path))
    except OSError:
        return []


def _remove_empty(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True
