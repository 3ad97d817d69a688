import hashlib

import httpx
import pytest

from actorllm.actors.downloader.origin import Origin
from actorllm.actors.uploader.chunks import chunk_size, commit_url, content_range, resume_at
from actorllm.actors.uploader.pushing import mount_source
from actorllm.protocol.manifest import MODEL, Layer

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize("size", [0, 1, 10**9, 10**11, 10**15])
def test_chunks_are_big_and_not_too_many(size):
    assert chunk_size(size) >= 100_000_000
    assert size / chunk_size(size) <= 1000


def test_a_content_range_names_its_last_byte():
    assert content_range(0, 10) == "0-9"


def test_a_commit_keeps_what_the_registry_put_into_the_url():
    url = httpx.URL("https://h/upload?_state=a%2Fb")
    sums = [hashlib.md5(part).digest() for part in (b"a", b"b")]
    etag = hashlib.md5(b"".join(sums)).hexdigest()
    assert dict(commit_url(url, DIGEST, sums).params) == {
        "_state": "a/b",
        "digest": DIGEST,
        "etag": f"{etag}-2",
    }
    assert "etag" not in commit_url(url, DIGEST, None).params


@pytest.mark.parametrize(
    ("header", "at"),
    [
        ("0-99", 100),
        ("bytes=0-99", 100),
        ("0-0", 0),
        ("0-999", 1000),
        ("0-1000", None),
        ("5-9", None),
        ("", None),
        ("0-" + "9" * 30, None),
    ],
)
def test_an_upload_goes_on_where_the_registry_says(header, at):
    assert resume_at(header, 1000) == at


@pytest.mark.parametrize(
    ("source", "repository"),
    [
        ("h/a/b:t", "a/b"),
        ("H/a/b", "a/b"),
        ("other/a/b", ""),
        ("seedling", ""),
        ("h/x/y", ""),
        ("h/../../b", ""),
        ("", ""),
    ],
)
def test_a_blob_is_mounted_from_the_same_registry_only(source, repository):
    layer = Layer(MODEL, DIGEST, 1, source=source)
    assert mount_source(layer, Origin("https", "h", "x/y")) == repository
