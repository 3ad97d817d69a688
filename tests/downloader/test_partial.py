import errno
import os
import zlib

import pytest

from actorllm.actors.downloader.partial import Partial, allocated
from actorllm.actors.downloader.parts import Part
from actorllm.protocol.errors import Refused
from actorllm.protocol.names import digest_of

MIB = 1024 * 1024
DATA = os.urandom(9 * MIB)
DIGEST = digest_of(DATA)


@pytest.fixture
def begin(catalog):
    return lambda: Partial(catalog.blobs, DIGEST, len(DATA), 2)


def fill(partial, index, count=None):
    part = partial.parts[index]
    end = part.end if count is None else part.next + count
    partial.write(index, DATA[part.next : end])


def test_what_was_written_is_there_the_next_time(begin):
    with begin() as partial:
        assert [part.size for part in partial.parts] == [4.5 * MIB] * 2
        fill(partial, 0)
        fill(partial, 1, 1000)
    with begin() as partial:
        assert [part.done for part in partial.parts] == [4.5 * MIB, 1000]
        assert partial.parts[1].crc == zlib.crc32(DATA[int(4.5 * MIB) :][:1000])


def test_a_whole_file_becomes_a_blob(begin, catalog):
    with begin() as partial:
        for index in (1, 0):
            fill(partial, index)
        while partial.hashed < len(DATA):
            partial.hash_on()
        assert partial.digest() == DIGEST
        assert not catalog.blobs.has(DIGEST)
        partial.publish()
    assert catalog.blobs.path(DIGEST).read_bytes() == DATA
    assert [path.name for path in catalog.blobs.folder.iterdir()] == [DIGEST.replace(":", "-")]


def test_only_the_parts_that_were_torn_are_forgotten(begin, catalog):
    with begin() as partial:
        fill(partial, 0)
        fill(partial, 1, 1000)
    [path] = (catalog.blobs.folder / ".partial").glob("*[!n]")
    with path.open("r+b") as file:
        file.write(b"torn")
    with begin() as partial:
        assert partial.check()
        assert [part.done for part in partial.parts] == [0, 1000]
        assert not partial.check()


def test_without_its_state_a_file_is_begun_anew(begin, catalog):
    with begin() as partial:
        fill(partial, 0)
    for path in (catalog.blobs.folder / ".partial").glob("*.json"):
        path.unlink()
    with begin() as partial:
        assert [part.done for part in partial.parts] == [0, 0]


def test_a_part_takes_no_more_than_its_size(begin):
    with begin() as partial, pytest.raises(ValueError, match="more than"):
        partial.write(0, DATA)


def test_two_processes_do_not_write_one_file(begin):
    with begin(), pytest.raises(Refused) as caught:
        begin()
    assert caught.value.problem.status == 409
    begin().close()


def test_a_finished_file_is_not_taken_for_an_unfinished_one(begin, catalog):
    with begin() as partial:
        for index in (0, 1):
            fill(partial, index)
        partial.publish()
        partial.save()
    with begin() as again:
        assert [part.done for part in again.parts] == [0, 0]
    assert catalog.blobs.path(DIGEST).read_bytes() == DATA


def test_a_full_disk_loses_nothing(begin, monkeypatch):
    with begin() as partial:
        fill(partial, 0)
        with monkeypatch.context() as full:
            full.setattr(os, "pwrite", raiser(OSError(errno.ENOSPC, "full")))
            with pytest.raises(Refused) as caught:
                fill(partial, 1)
    assert caught.value.problem.status == 507
    with begin() as partial:
        assert [part.done for part in partial.parts] == [4.5 * MIB, 0]


def raiser(error):
    def fail(*_):
        raise error

    return fail


def test_without_ranges_there_is_one_part(begin):
    with begin() as partial:
        fill(partial, 0)
        partial.hash_on()
        partial.unite()
        assert partial.parts == [Part(0, len(DATA))]
        assert partial.hashed == 0


def test_what_is_on_the_disk_is_known(begin, catalog):
    assert allocated(catalog.blobs, DIGEST) == 0
    with begin() as partial:
        fill(partial, 0)
        assert 4 * MIB <= allocated(catalog.blobs, DIGEST) <= len(DATA)
