"""From the bytes of an archive to the store. It blocks: call it from a thread.

Nothing is written where a name in the archive says: blobs go where their digests say, models where
their names say, and both are checked. A blob is verified before it is visible; models are written
when all of their blobs are there. What no model needs in the end is removed.
"""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import attrs

from actorllm.actors.archives.layout import INDEX, MAX_INDEX, PackedModel, blob_digest, parse_index
from actorllm.actors.archives.tarring import Began, Ended, Piece, TarReader
from actorllm.actors.blobs.writer import BlobWriter, digest_mismatch
from actorllm.actors.downloader.manifests import check_manifest
from actorllm.actors.library.catalog import Catalog
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import MAX_MANIFEST, Manifest, ManifestError
from actorllm.protocol.messages.archives import Imported, ImportedModel
from actorllm.protocol.names import Name, valid_name

__all__ = ["Importing"]

_MARGIN: Final = 64 * 1024 * 1024
"""Bytes of the disk that an import leaves free."""


@attrs.frozen
class _Checked:
    """A model that may be written."""

    name: Name
    data: bytes
    manifest: Manifest


class _Known:
    """A blob that is here already: only looked at, so that a damaged archive is noticed."""

    def __init__(self, digest: str) -> None:
        self._digest = digest
        self._hash = hashlib.sha256()

    def write(self, data: bytes | memoryview) -> None:
        self._hash.update(data)

    def commit(self) -> None:
        found = f"sha256:{self._hash.hexdigest()}"
        if found != self._digest:
            raise digest_mismatch(self._digest, found)

    def abort(self) -> None:
        """Nothing was written."""


class Importing:
    """One archive that comes in. Close it at the end, whatever that is.

    Args:
        catalog: Gets the models.
        max_blob: Bytes that a blob may have.
        rename: Name of the only model, in place of the archive's; empty: none.
    """

    def __init__(self, catalog: Catalog, max_blob: int, rename: str = "") -> None:
        self._catalog = catalog
        self._max_blob = max_blob
        self._rename = valid_name(rename) if rename else None
        self._tar = TarReader()
        self._pin = catalog.blobs.lock.pin()
        self._index: bytearray | None = None
        self._in_index = False
        self._writer: BlobWriter | _Known | None = None
        self._garbage: set[str] = set()
        self._stored = 0
        self._reused = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            Refused: They cannot be imported: 400, 413; the disk is full: 507.
        """
        for event in self._tar.feed(data):
            match event:
                case Began():
                    self._begin(event)
                case Piece():
                    self._take(event.data)
                case Ended():
                    self._end()

    def finish(self) -> Imported:
        """Write the models, now that all has come.

        Raises:
            Refused: The archive is cut off or lacks something: 400.
        """
        self._tar.check_complete()
        if self._index is None:
            raise Refused.because(400, "the archive has no index of models")
        models = parse_index(bytes(self._index))
        if self._rename is not None and len(models) != 1:
            raise Refused.because(400, f"the archive holds {len(models)} models; give no name")
        checked = [self._check(model) for model in models]
        rows = tuple(map(self._write, checked))
        return Imported(rows, self._stored, self._reused)

    def close(self) -> None:
        """Remove what no model needs."""
        if self._writer is not None:
            self._writer.abort()
            self._writer = None
        self._pin.close()
        self._catalog.sweep(self._garbage)

    # What comes

    def _begin(self, began: Began) -> None:
        digest = blob_digest(began.name)
        if digest is not None:
            self._writer = self._open(digest, began.size)
        elif began.name.removeprefix("./") == INDEX:
            if began.size > MAX_INDEX or self._index is not None:
                raise Refused.because(400, "the archive's index is too large or there twice")
            self._index, self._in_index = bytearray(), True
        # Other files are none of ours, and nothing of them is kept.

    def _open(self, digest: str, size: int) -> BlobWriter | _Known:
        store = self._catalog.blobs
        if size > self._max_blob:
            raise Refused.because(
                413, f"a blob may have {self._max_blob} bytes; raise ACTORLLM_MAX_BLOB_MIB"
            )
        self._pin.add(digest)
        if self._catalog.own(digest) and self._catalog.size(digest) == size:
            self._reused += size
            return _Known(digest)
        if shutil.disk_usage(store.folder).free < size + _MARGIN:
            raise Refused.because(
                507, f"not enough disk space for a blob of {size / 1e9:.1f} GB; remove a model"
            )
        self._garbage.add(digest)
        self._stored += size
        return store.open_writer(digest)

    def _take(self, data: memoryview) -> None:
        if self._writer is not None:
            self._writer.write(data)
        elif self._in_index and self._index is not None:
            self._index += data

    def _end(self) -> None:
        self._in_index = False
        if self._writer is not None:
            writer, self._writer = self._writer, None
            try:
                writer.commit()
            finally:
                writer.abort()

    # The models

    def _check(self, model: PackedModel) -> _Checked:
        name = self._rename or model.name
        if not name.is_valid:
            raise Refused.because(400, "a model of the archive has no valid name; give one")
        data = self._read(model)
        try:
            manifest = check_manifest(data, self._max_blob)
        except ManifestError as e:
            raise Refused.because(400, f"'{name.short()}' is no model: {e}") from e
        for layer in manifest.blobs():
            self._pin.add(layer.digest)
            if not self._catalog.own(layer.digest) or self._size(layer.digest) != layer.size:
                raise Refused.because(
                    400, f"'{name.short()}' lacks blob {layer.digest} in the archive"
                )
        return _Checked(name, data, manifest)

    def _size(self, digest: str) -> int | None:
        return self._catalog.size(digest)

    def _read(self, model: PackedModel) -> bytes:
        path: Path | None = self._catalog.blob(model.digest)
        if path is None or model.size > MAX_MANIFEST or path.stat().st_size != model.size:
            raise Refused.because(400, f"the archive lacks manifest {model.digest}")
        return path.read_bytes()

    def _write(self, model: _Checked) -> ImportedModel:
        target = self._catalog.spelling(model.name)
        old: Iterable[Any] = self._catalog.write(target, model.data)
        self._garbage.update(old)
        return ImportedModel(target.short(), model.manifest.size)
