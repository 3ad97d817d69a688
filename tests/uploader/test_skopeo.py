"""skopeo reads what we pushed. It copies no layers of the types that Ollama gives them."""

import json

import pytest

from tests.registry.fixtures import SEEDLING
from tests.registry.skopeo import needs_skopeo, skopeo
from tests.uploader.conftest import push

pytestmark = needs_skopeo


@pytest.fixture
async def pushed(registry, node, seedling):
    """Where a model is that was pushed under two tags."""
    for tag in ("latest", "second"):
        await push(node, seedling(registry.host, f"library/looked-at:{tag}").name.full())
    return f"docker://{registry.host}/library/looked-at"


async def test_skopeo_lists_the_tags(pushed):
    listed = json.loads(skopeo("list-tags", "--tls-verify=false", pushed))
    assert listed["Tags"] == ["latest", "second"]


async def test_skopeo_reads_a_manifest_as_it_is(pushed):
    raw = skopeo("inspect", "--raw", "--tls-verify=false", f"{pushed}:second")
    assert raw == SEEDLING.read_bytes()
