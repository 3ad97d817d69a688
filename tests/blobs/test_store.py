"""The blob store on a real file system, with real processes."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
import time

import pytest

from actorllm.actors.blobs.files import remove_dead_temps, write_atomically
from actorllm.actors.blobs.store import BlobStore
from actorllm.protocol.errors import Refused
from actorllm.protocol.names import TEMP_SUFFIX

HELLO = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
ZEROS = "sha256:" + "0" * 64


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path / "models")


def names(store):
    return sorted(path.name for path in store.folder.iterdir())


def test_bytes_are_stored_under_their_digest(store):
    stored = store.put(b"hello")
    assert stored.digest == HELLO
    assert stored.path == store.path(HELLO)
    assert stored.path.read_bytes() == b"hello"
    assert store.size(HELLO) == 5
    assert names(store) == [HELLO.replace(":", "-")]


def test_a_blob_is_not_visible_before_its_commit(store):
    with store.open_writer(HELLO) as writer:
        writer.write(b"hel")
        writer.write(b"lo")
        assert not store.has(HELLO)
        assert store.digests() == frozenset()
        writer.commit()
    assert store.has(HELLO)


def test_a_mismatch_is_refused_and_keeps_nothing(store):
    with store.open_writer(ZEROS) as writer:
        writer.write(b"data")
        with pytest.raises(Refused) as refused:
            writer.commit()
    assert refused.value.problem.status == 400
    assert refused.value.problem.text == (
        f'digest mismatch, expected "{ZEROS}", got "sha256:{hashlib.sha256(b"data").hexdigest()}"'
    )
    assert names(store) == []


def test_leaving_before_the_commit_keeps_nothing(store):
    with store.open_writer() as writer:
        writer.write(b"data")
    assert names(store) == []
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"more")
    with pytest.raises(ValueError, match="closed"):
        writer.commit()


@pytest.mark.parametrize("digest", ["abc", "", "sha256:../../etc/passwd", "sha256:" + "g" * 64])
def test_what_is_no_digest_has_no_path(store, digest):
    for use in (store.path, store.has, store.delete, store.open_writer):
        with pytest.raises(Refused, match="invalid digest format"):
            use(digest)


def test_both_spellings_of_a_digest_name_one_blob(store):
    with store.open_writer(HELLO.replace(":", "-").upper().replace("SHA", "sha")) as writer:
        writer.write(b"hello")
        assert writer.commit().digest == HELLO
    assert store.has(HELLO.replace(":", "-"))


def test_a_blob_that_is_there_keeps_its_inode(store):
    first = store.put(b"hello").path.stat().st_ino
    assert store.put(b"hello").path.stat().st_ino == first
    assert len(names(store)) == 1


def test_a_damaged_blob_of_another_size_is_mended(store):
    store.put(b"hello")
    os.truncate(store.path(HELLO), 2)
    store.put(b"hello")
    assert store.path(HELLO).read_bytes() == b"hello"


def test_a_file_is_imported_and_stays(store, tmp_path):
    source = tmp_path / "model.gguf"
    source.write_bytes(b"hello")
    assert store.import_file(source, HELLO).digest == HELLO
    assert store.import_file(source).digest == HELLO
    assert source.read_bytes() == b"hello"
    assert names(store) == [HELLO.replace(":", "-")]
    with pytest.raises(Refused, match="digest mismatch"):
        store.import_file(source, ZEROS)
    assert len(names(store)) == 1


def test_writing_to_an_imported_file_does_not_change_the_blob(store, tmp_path):
    source = tmp_path / "model.gguf"
    source.write_bytes(b"hello")
    path = store.import_file(source).path
    source.write_bytes(b"other")
    assert path.read_bytes() == b"hello"


def test_a_finished_partial_file_is_adopted(store):
    partial = store.folder / f"{HELLO.replace(':', '-')}-partial"
    partial.write_bytes(b"hello")
    with pytest.raises(Refused):
        store.adopt(partial, ZEROS)
    assert partial.exists()
    assert store.adopt(partial, HELLO).digest == HELLO
    assert not partial.exists()


def test_old_names_of_blobs_are_mended_at_the_start(store):
    (store.folder / HELLO).write_bytes(b"hello")
    (store.folder / "sha256:nonsense").write_bytes(b"")
    store.tidy()
    assert store.has(HELLO)
    assert "sha256:nonsense" in names(store)


def test_entries_tell_blobs_from_other_files(store):
    store.put(b"hello")
    (store.folder / "sha256-short").write_bytes(b"x")
    (store.folder / "folder").mkdir()
    found = {entry.path.name: entry.digest for entry in store.entries()}
    assert found == {HELLO.replace(":", "-"): HELLO, "sha256-short": None}


def test_only_the_temporary_files_of_dead_processes_are_removed(store):
    with store.open_writer() as living:
        living.write(b"data")
        dead = store.folder / f".1-0{TEMP_SUFFIX}"
        dead.write_bytes(b"left")
        assert remove_dead_temps(store.folder) == []  # too young to know
        assert remove_dead_temps(store.folder, newborn=0) == [dead]
        assert living.commit().size == 4


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def fill_up(file):
    """Let writes to a file fail as on a full disk, as those to /dev/full do."""
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, file.fileno())
    os.close(full)


def test_a_full_disk_is_an_answer(store):
    with store.open_writer() as writer:
        fill_up(writer._file)
        with pytest.raises(Refused) as refused:
            writer.write(b"data")
    assert refused.value.problem.status == 507
    assert names(store) == []


def test_a_pin_on_a_full_disk_is_refused(store):
    with store.lock.pin() as pin:
        fill_up(pin._file)
        with pytest.raises(Refused, match="no space left") as refused:
            pin.add(HELLO)
    assert refused.value.problem.status == 507


def test_a_file_on_a_disk_without_room_for_its_name_is_refused(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(Refused, match="no space left"):
        write_atomically(tmp_path / "file", b"one")


def test_a_pinned_blob_is_known_to_who_removes(store):
    with store.lock.pin() as pin:
        pin.add(HELLO)
        pin.add(ZEROS)
        with store.lock.removing():
            assert store.lock.pinned() == {HELLO, ZEROS}
    assert store.lock.pinned() == frozenset()


WRITER = """
import sys
from pathlib import Path
from actorllm.actors.blobs.store import BlobStore
store = BlobStore(Path(sys.argv[1]))
print("ready", flush=True)
for n in range(int(sys.argv[2]), int(sys.argv[3])):
    with store.open_writer() as writer:
        for _ in range(8):
            writer.write(bytes([n % 251]) * 8192)
        writer.commit()
"""

PINNER = """
import sys, time
from pathlib import Path
from actorllm.actors.blobs.store import BlobStore
store = BlobStore(Path(sys.argv[1]))
pin = store.lock.pin()
pin.add(sys.argv[2])
writer = store.open_writer()
writer.write(b"half")
print("ready", flush=True)
time.sleep(60)
"""


def python(code, *args):
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


def test_processes_that_write_the_same_blobs_do_not_disturb_each_other(store):
    writers = [python(WRITER, store.root, start, 40) for start in (0, 0, 20)]
    for process in writers:
        with process:
            assert process.wait(timeout=30) == 0
    entries = list(store.entries())
    assert len(entries) == 40
    for entry in entries:
        assert f"sha256:{hashlib.sha256(entry.path.read_bytes()).hexdigest()}" == entry.digest


def test_killed_writers_leave_no_broken_blob(store):
    for round_ in range(4):
        process = python(WRITER, store.root, 0, 100_000)
        with process:
            deadline = time.monotonic() + 10
            while len(store.digests()) <= round_ * 10 and time.monotonic() < deadline:
                os.sched_yield()
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=10)
    remove_dead_temps(store.folder, newborn=0)
    entries = list(store.entries())
    assert len(entries) > 30
    for entry in entries:
        assert f"sha256:{hashlib.sha256(entry.path.read_bytes()).hexdigest()}" == entry.digest


def test_what_a_killed_process_pinned_and_wrote_is_free_again(store):
    with python(PINNER, store.root, HELLO) as process:
        assert store.lock.pinned() == {HELLO}
        process.kill()
        process.wait(timeout=10)
    assert store.lock.pinned() == frozenset()
    assert len(remove_dead_temps(store.folder, newborn=0)) == 1
