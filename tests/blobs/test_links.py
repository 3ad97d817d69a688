"""Files of the user in the store without a copy: shared blocks, or links that are watched."""

import os
import subprocess
from contextlib import contextmanager

import pytest

from actorllm.actors.blobs.store import BlobStore
from actorllm.cli import sharing
from actorllm.cli.sharing import shared
from actorllm.protocol.errors import Refused
from actorllm.protocol.names import digest_of

DATA = b"weights" * 600_000
DIGEST = digest_of(DATA)


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path / "models")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "weights.gguf"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def linking(monkeypatch):
    """A file system that shares no blocks, whatever the one of the tests can."""
    monkeypatch.setattr(sharing, "_cloned", lambda *_: False)


def adopted(store, source, digest=DIGEST):
    with shared(source, store.folder) as name:
        return store.adopt_named(name, digest)


def names(store):
    return sorted(path.name for path in store.folder.iterdir())


def used(folder):
    """Bytes of the disk that a folder takes; links count once."""
    found = {path.lstat().st_ino: path.lstat() for path in folder.rglob("*")}
    return sum(512 * facts.st_blocks for facts in found.values())


def test_a_link_takes_no_space(store, source, linking, tmp_path):
    before = used(tmp_path)
    stored = adopted(store, source)
    assert stored.path.samefile(source)
    assert stored.path.read_bytes() == DATA
    assert names(store) == [DIGEST.replace(":", "-")]
    assert used(tmp_path) - before < 0.01 * len(DATA)


def test_a_link_is_as_young_as_it_is_here(store, source, linking):
    os.utime(source, (1, 1))
    adopted(store, source)
    assert [entry.modified > 1e9 for entry in store.entries()] == [True]


def test_a_linked_file_that_is_written_to_is_a_blob_no_more(store, source, linking):
    adopted(store, source)
    with source.open("r+b") as file:
        file.write(b"W")
    os.utime(source, ns=(1, 1))  # no clock is too coarse for the test
    assert not store.has(DIGEST)
    assert not BlobStore(store.root).has(DIGEST)  # nor after a start
    mended = store.put(DATA)
    assert mended.path.read_bytes() == DATA
    assert store.has(DIGEST)
    assert source.read_bytes() != DATA


def test_a_linked_file_that_is_replaced_leaves_the_blob_alone(store, source, linking):
    adopted(store, source)
    other = source.with_name("new")
    other.write_bytes(b"other weights")
    other.replace(source)
    assert store.path(DIGEST).read_bytes() == DATA
    assert store.has(DIGEST)


def test_a_blob_that_is_removed_leaves_the_file(store, source, linking):
    adopted(store, source)
    assert store.delete(DIGEST) == len(DATA)
    assert source.read_bytes() == DATA
    assert names(store) == []
    assert list((store.own_folder / "linked").iterdir()) == []


def test_links_that_others_make_of_a_blob_do_it_no_harm(store, tmp_path):
    stored = store.put(DATA)
    os.link(stored.path, tmp_path / "backup")
    assert store.has(DIGEST)


def test_another_content_than_promised_is_refused_and_nothing_is_kept(store, source, linking):
    with pytest.raises(Refused, match="digest mismatch"):
        adopted(store, source, "sha256:" + 64 * "0")
    assert names(store) == []
    assert source.read_bytes() == DATA


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "../../weights.gguf",
        ".gone.actorllm-tmp",
        "./x.actorllm-tmp",
        ".\0.actorllm-tmp",
        "." + 300 * "x" + ".actorllm-tmp",
        DIGEST.replace(":", "-"),
    ],
)
def test_only_a_temporary_file_of_the_folder_is_adopted(store, source, name):
    store.put(DATA)
    with pytest.raises(Refused) as caught:
        store.adopt_named(name, DIGEST)
    assert caught.value.problem.status == 404


def test_a_symbolic_link_is_not_adopted(store, source):
    (store.folder / ".link.actorllm-tmp").symlink_to(source)
    with pytest.raises(Refused, match="no such file"):
        store.adopt_named(".link.actorllm-tmp", DIGEST)


def test_where_nothing_can_be_shared_there_is_no_file(store, source, linking, monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    with shared(source, store.folder) as name:
        assert name is None
    with shared(source, store.folder / "gone") as name:
        assert name is None
    assert names(store) == []


@contextmanager
def mounted(tmp_path):
    """A file system that shares blocks, in a file."""
    image, folder = tmp_path / "image", tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(320 << 20)
    folder.mkdir()
    commands = (
        ["mkfs.xfs", "-q", "-m", "reflink=1", image],
        ["mount", "-o", "loop", image, folder],
    )
    for command in commands:
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=20)
        except (OSError, subprocess.CalledProcessError) as e:
            pytest.skip(f"no file system that shares blocks can be mounted here: {e}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True, timeout=20)


def test_shared_blocks_take_no_space_and_are_the_blobs_own(tmp_path):
    with mounted(tmp_path) as disk:
        store, source = BlobStore(disk / "models"), disk / "weights.gguf"
        source.write_bytes(DATA)
        os.sync()
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        stored = adopted(store, source)
        os.sync()
        assert free - os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize < 0.01 * len(DATA)
        assert not stored.path.samefile(source)
        source.write_bytes(b"other")
        assert stored.path.read_bytes() == DATA
