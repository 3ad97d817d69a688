"""A model that is to be sent, or exported."""

from actorllm.actors.library.catalog import Catalog
from actorllm.actors.library.manifests import ManifestFolder
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import Manifest, ManifestError, parse_manifest
from actorllm.protocol.names import Name, parse_name

__all__ = ["LocalModel", "find_model"]


class LocalModel:
    """A model that is to be sent, as it is on the disk."""

    def __init__(self, name: Name, data: bytes) -> None:
        self.name = name
        """As it is spelled here."""
        self.data = data
        """Its manifest."""
        self.manifest: Manifest = parse_manifest(data)


def find_model(catalog: Catalog, text: str) -> LocalModel:
    """Find a model. Blocks.

    Raises:
        Refused: The name is not valid: 400; there is no such model: 404; it is damaged: 500.
    """
    name = parse_name(text)
    if not name.is_valid:
        raise Refused.because(400, f"unqualified name: {name.full()}")
    found = catalog.find(name)
    if found is None:
        raise Refused.because(404, f"model '{name.short()}' not found")
    try:
        return LocalModel(found.name, ManifestFolder(found.root).raw(found.name))
    except (OSError, ManifestError) as e:
        raise Refused.because(500, f"model '{name.short()}' cannot be read; try again") from e
