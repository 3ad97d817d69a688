"""Export and import: models as one file.

An export is a stream of the file's bytes. An import is a stream that its sender holds open, as an
upload is: the first item names it, `FeedImport` brings the next bytes, `FinishImport` writes the
models. Leaving the stream before that keeps nothing.
"""

from actorllm.protocol.codec import Ask, Stream, Value, message

__all__ = [
    "Export",
    "ExportPart",
    "Fed",
    "FeedImport",
    "FinishImport",
    "Import",
    "ImportOpened",
    "Imported",
    "ImportedModel",
]


@message
class ExportPart(Value):
    """The next bytes of an archive."""

    total: int
    """Bytes of the whole archive."""
    data: bytes = b""


@message
class Export(Stream[ExportPart]):
    """Write models into an archive.

    Refused before the first item with 400 or 404 by a name, with 503 while there are too many; later
    with 500 if a blob is damaged: the archive is incomplete then.
    """

    models: tuple[str, ...]


@message
class ImportOpened(Value):
    """An import may be fed."""

    id: int


@message
class Import(Stream[ImportOpened]):
    """Begin an import; refused with 400 by the name, 503 while there are too many."""

    name: str = ""
    """Of the only model, in place of the archive's; empty: none."""


@message
class Fed(Value):
    """The bytes were taken."""


@message
class FeedImport(Ask[Fed]):
    """Bring the next bytes, at most 1 MiB at once; the answer is the back-pressure."""

    id: int
    data: bytes


@message
class ImportedModel:
    """A model that was in the archive."""

    name: str
    """Short display form."""
    size: int
    """Bytes of its blobs."""


@message
class Imported(Value):
    """The models are there."""

    models: tuple[ImportedModel, ...]
    stored: int
    """Bytes that were written."""
    reused: int
    """Bytes that were there already."""


@message
class FinishImport(Ask[Imported]):
    """Check that all has come, and write the models. Refused with 400 if something is missing."""

    id: int
