"""skopeo reads archives of ours.

By name, its version 1.9 finds manifests of OCI's own type only, so these are of one model.
"""

from tests.archives.conftest import export
from tests.registry.skopeo import needs_skopeo, skopeo

pytestmark = needs_skopeo


def test_skopeo_reads_the_manifest_of_an_archive_of_one_model(full, tmp_path):
    archive = tmp_path / "one-model.tar"
    archive.write_bytes(export(full, "one"))
    raw = skopeo("inspect", "--raw", f"oci-archive:{archive}")
    manifest = full.blobs.root / "manifests" / "registry.ollama.ai" / "library" / "one" / "latest"
    assert raw == manifest.read_bytes()
