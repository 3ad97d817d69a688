"""Unfinished downloads on the disk: listed, and removed. It blocks: call it from a thread."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from actorllm.actors.blobs.files import try_lock
from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.downloader.partial import MAX_STATE, partial_folder, state_file
from actorllm.actors.downloader.parts import completed, load_model, load_state
from actorllm.actors.library.catalog import Catalog
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.transfers import Leftover, PartialRow, Pruned
from actorllm.protocol.names import blob_file, parse_digest

__all__ = ["list_partials", "prune"]

_MAX_ROWS = 1000
"""Files that one answer names."""


def list_partials(store: BlobStore) -> tuple[PartialRow, ...]:
    """List unfinished downloads, the latest first."""
    rows = [row for path in _files(store) if (row := _row(path)) is not None]
    return tuple(sorted(rows, key=lambda row: -row.modified_at))[:_MAX_ROWS]


def prune(catalog: Catalog, *, older_than: float, dry_run: bool) -> Pruned:
    """Remove unfinished downloads, and blobs that no model refers to.

    What a living process downloads, or has pinned for a model that it is about to write, stays.

    Args:
        catalog: Whose store is pruned.
        older_than: Seconds since the last change of a blob; a younger one may be an upload that
            waits for the model that is created from it.
        dry_run: Only tell what would be removed.
    """
    garbage = catalog.collect_garbage(older_than=older_than, dry_run=dry_run)
    partials = [] if garbage.skipped else _remove_partials(catalog.blobs, dry_run=dry_run)
    blobs = [
        Leftover("blob" if entry.digest else "file", entry.digest or "", entry.size)
        for entry in garbage.entries
    ]
    every = [*partials, *blobs]
    return Pruned(
        removed=tuple(every[:_MAX_ROWS]),
        count=len(every),
        freed=sum(leftover.size for leftover in every),
        skipped=garbage.skipped,
    )


def _remove_partials(store: BlobStore, *, dry_run: bool) -> list[Leftover]:
    removed = []
    with store.lock.removing():
        pinned = store.lock.pinned()
        for path in _files(store):
            digest = parse_digest(path.name)
            fd = None if digest in pinned else try_lock(path)
            if fd is None:
                continue  # a pull is about to go on with it, or does
            try:
                size = os.fstat(fd).st_blocks * 512
                if not dry_run:
                    path.unlink(missing_ok=True)
                    state_file(path).unlink(missing_ok=True)
                removed.append(Leftover("partial", digest, size))
            finally:
                os.close(fd)
    return removed


def _files(store: BlobStore) -> Iterator[Path]:
    for path in sorted(partial_folder(store).glob("sha256-*")):
        with suppress(Refused):
            if path.name == blob_file(parse_digest(path.name)):
                yield path


def _row(path: Path) -> PartialRow | None:
    try:
        stat = path.stat()
        with state_file(path).open("rb") as file:
            state = file.read(MAX_STATE)
    except FileNotFoundError:
        state = b""
    except OSError:
        return None
    fd = try_lock(path)
    if fd is not None:
        os.close(fd)
    return PartialRow(
        digest=parse_digest(path.name),
        model=load_model(state),
        total=stat.st_size,
        completed=completed(load_state(state, stat.st_size) or ()),
        modified_at=stat.st_mtime_ns,
        in_flight=fd is None,
    )
