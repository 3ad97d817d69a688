"""Pulls from the real registry."""

from actorllm.actors.library.catalog import BUILTIN_ROOT
from actorllm.protocol.names import parse_name
from tests.downloader.conftest import SEEDLING, pull, words


async def test_a_pulled_model_is_the_one_in_the_registry_byte_for_byte(registry, node, catalog):
    name = f"{registry.host}/library/seedling"
    steps = await pull(node, name)
    model = catalog.find(parse_name(name))
    shorts = [layer.digest[7:19] for layer in model.manifest.blobs()]
    assert words(steps) == [
        "pulling manifest",
        *(f"pulling {short}" for short in shorts),
        "verifying sha256 digest",
        "writing manifest",
        "success",
    ]
    for layer in model.manifest.blobs():
        original = BUILTIN_ROOT / "blobs" / layer.digest.replace(":", "-")
        assert catalog.blobs.path(layer.digest).read_bytes() == original.read_bytes()
    path = catalog.blobs.root / "manifests" / registry.host / "library" / "seedling" / "latest"
    assert path.read_bytes() == SEEDLING.read_bytes()
