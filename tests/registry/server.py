"""The registry of Debian's package `docker-registry`, on a free port, on an empty folder."""

import json
import os
import shutil
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

import attrs
import httpx

from actorllm.protocol.manifest import CONFIG, MANIFEST, MODEL, parse_manifest
from actorllm.protocol.names import digest_of

USER, PASSWORD = "alice", "wonderland"
_BCRYPT = "$2y$04$mGzVuPqSqKOJnVtQyyl1T.NFl6iCIZnckgMCiM8klI.AS0jxIfwfq"


@attrs.frozen
class RealRegistry:
    host: str
    """Address and port."""

    @property
    def url(self):
        return f"http://{self.host}/v2"

    def get(self, path):
        """Bytes of a manifest or a blob."""
        answer = httpx.get(f"{self.url}/{path}", headers={"Accept": MANIFEST})
        assert answer.status_code == 200, answer.text
        return answer.content

    def has(self, repository, digest):
        return httpx.head(f"{self.url}/{repository}/blobs/{digest}").status_code == 200

    def put(self, repository, blobs, manifest):
        """Upload a model without any code of ours. Names of `blobs` are digests."""
        with httpx.Client(base_url=self.url) as client:
            for digest, data in blobs.items():
                begun = client.post(f"/{repository}/blobs/uploads/")
                where = httpx.URL(begun.headers["location"]).copy_add_param("digest", digest)
                assert client.put(where, content=data).status_code == 201
            answer = client.put(
                f"/{repository}/manifests/latest",
                content=manifest,
                headers={"Content-Type": MANIFEST},
            )
            assert answer.status_code == 201, answer.text

    def put_random(self, repository, size):
        """Upload a model of random bytes; returns the digest of its blob."""
        data, config = os.urandom(size), b"{}"
        digest = digest_of(data)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest_of(config), "size": len(config)},
            "layers": [{"mediaType": MODEL, "digest": digest, "size": size}],
        }
        blobs = {digest: data, digest_of(config): config}
        self.put(repository, blobs, json.dumps(manifest).encode())
        return digest

    def put_installed(self, repository, root, manifest_path):
        """Upload a model of a store."""
        manifest = manifest_path.read_bytes()
        digests = {layer.digest for layer in parse_manifest(manifest).blobs()}
        blobs = {d: (root / "blobs" / d.replace(":", "-")).read_bytes() for d in digests}
        self.put(repository, blobs, manifest)


def passwords(folder: Path) -> dict:
    """Let in who knows the password."""
    (folder / "htpasswd").write_text(f"{USER}:{_BCRYPT}\n")
    return {"htpasswd": {"realm": "here", "path": str(folder / "htpasswd")}}


@contextmanager
def real_registry(folder: Path, *, auth: dict | None = None):
    """Run it while the block lasts.

    Args:
        folder: For its files.
        auth: Whom it lets in, as its configuration says that; None: everybody.
    """
    program = shutil.which("docker-registry")
    assert program, "the tests need the Debian package docker-registry"
    config = {
        "version": "0.1",
        "log": {"level": "info", "formatter": "json"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": "127.0.0.1:0", "secret": "for tests"},
    }
    if auth is not None:
        config["auth"] = auth
    (folder / "config.yml").write_text(json.dumps(config))  # JSON is YAML
    child = subprocess.Popen(
        [program, "serve", str(folder / "config.yml")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        host = _address(child.stderr)
        reader = threading.Thread(target=child.stderr.read, daemon=True)
        reader.start()
        yield RealRegistry(host)
    finally:
        child.terminate()
        child.wait(10)
        reader.join(10)
        child.stderr.close()


def _address(lines):
    for line in lines:
        message = json.loads(line)["msg"]
        if message.startswith("listening on "):
            return message.removeprefix("listening on ")
    raise AssertionError("docker-registry did not start")
