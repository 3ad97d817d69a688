"""From the stores to the bytes of an archive. It blocks: call it from a thread."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs

from actorllm.actors.archives.layout import (
    INDEX,
    LAYOUT,
    VERSION,
    PackedModel,
    blob_name,
    dump_index,
)
from actorllm.actors.archives.tarring import BLOCK, END, header, padding
from actorllm.actors.blobs.pins import Pin
from actorllm.actors.library.catalog import Catalog
from actorllm.actors.uploader.local import LocalModel, find_model
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import Layer, model_id

__all__ = ["Exporting"]

_PIECE: Final = 512 * 1024


@attrs.frozen
class _File:
    """A file of the archive: bytes, or a blob."""

    name: str
    size: int
    source: bytes | Path
    digest: str = ""
    """Of a blob: it is checked on its way out."""


class Exporting:
    """One archive. Its size is known before its first byte.

    Args:
        catalog: Has the models.
        names: Of the models.
        pin: Keeps their blobs until the archive is written.

    Raises:
        Refused: A name is not valid: 400; there is no such model: 404; it is damaged: 500.
    """

    def __init__(self, catalog: Catalog, names: Sequence[str], pin: Pin) -> None:
        self._catalog = catalog
        self._pin = pin
        self._now = int(time.time())
        models = [find_model(catalog, name) for name in dict.fromkeys(names)]
        packed = [
            PackedModel(
                model.name,
                f"sha256:{model_id(model.data)}",
                len(model.data),
                model.manifest.media_type,
            )
            for model in models
        ]
        index = dump_index(packed)
        self._files = [
            _File(LAYOUT, len(VERSION), VERSION),
            _File(INDEX, len(index), index),
            *self._blobs(models, packed),
        ]
        self.total = len(END) + sum(
            BLOCK + file.size + len(padding(file.size)) for file in self._files
        )
        """Bytes of the archive."""

    def _blobs(self, models: Sequence[LocalModel], packed: Sequence[PackedModel]) -> list[_File]:
        files = {
            row.digest: _File(blob_name(row.digest), row.size, model.data, row.digest)
            for model, row in zip(models, packed, strict=True)
        }
        for model in models:
            for layer in model.manifest.blobs():
                files.setdefault(layer.digest, self._blob(model, layer))
        return list(files.values())

    def _blob(self, model: LocalModel, layer: Layer) -> _File:
        self._pin.add(layer.digest)
        path = self._catalog.blob(layer.digest)
        if path is None or path.stat().st_size != layer.size:
            raise Refused.because(
                500, f"model '{model.name.short()}' is damaged; pull or create it again"
            )
        return _File(blob_name(layer.digest), layer.size, path, layer.digest)

    def pieces(self) -> Iterator[bytes]:
        """Go through the bytes of the archive.

        Raises:
            Refused: A blob is not what its digest says: 500.
        """
        for file in self._files:
            yield header(file.name, file.size, self._now)
            yield from self._content(file)
            if file.size % BLOCK:
                yield padding(file.size)
        yield END

    def _content(self, file: _File) -> Iterator[bytes]:
        if isinstance(file.source, bytes):
            yield file.source
            return
        digest, left = hashlib.sha256(), file.size
        with file.source.open("rb", buffering=0) as opened:
            while left and (piece := opened.read(min(_PIECE, left))):
                digest.update(piece)
                left -= len(piece)
                if not left:
                    self._check(file, digest.hexdigest())  # before its last byte goes out
                yield piece
        if left or not file.size:
            self._check(file, digest.hexdigest())

    @staticmethod
    def _check(file: _File, found: str) -> None:
        if file.digest != f"sha256:{found}":
            raise Refused.because(500, f"blob {file.digest} is damaged; pull its model again")
