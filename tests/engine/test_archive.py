import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.actors.runner.engine.archive import FileArchive
from actorllm.actors.runner.engine.store import Saved, Store

KEY = b"weights and settings"


def make_saved(number=1, size=1000, cost=2.0, tokens=50):
    data = bytes([number]) * size
    return Saved(tuple(range(number, number + tokens)), 7, size, cost, data, kind="large")


def make_archive(folder, quota=100_000, key=KEY):
    return FileArchive(folder / "kv", key, quota)


def read(archive, saved):
    reading = archive.open(saved)
    while reading.go_on():
        assert reading.data is None
    return reading.data


def facts(saved):
    return saved.tokens, saved.orderly, saved.kind, saved.size, saved.cost


def files(folder):
    return sorted(path.name for path in (folder / "kv").glob("*"))


def test_what_is_written_comes_back(tmp_path):
    saved = make_saved()
    make_archive(tmp_path).write([saved])
    archive = make_archive(tmp_path)
    (entry,) = archive.entries()
    assert facts(entry) == facts(saved)
    assert entry.data is None
    assert read(archive, entry) == saved.data


def test_nobody_else_may_read_it(tmp_path):
    make_archive(tmp_path).write([make_saved()])
    (name,) = files(tmp_path)
    assert (tmp_path / "kv").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "kv" / name).stat().st_mode & 0o777 == 0o600


def test_another_key_does_not_see_it(tmp_path):
    make_archive(tmp_path).write([make_saved()])
    assert make_archive(tmp_path, key=b"other weights").entries() == []
    assert len(make_archive(tmp_path).entries()) == 1


def test_the_file_that_was_not_used_for_longest_gives_way(tmp_path):
    archive = make_archive(tmp_path, quota=4100)
    for number in (1, 2, 3):
        archive.write([make_saved(number)])
        for path in (tmp_path / "kv").iterdir():
            os.utime(path, ns=(path.stat().st_mtime_ns - 10**9,) * 2)
    first = min(archive.entries(), key=lambda saved: saved.tokens)
    assert read(archive, first) is not None  # it was used
    archive.write([make_saved(4)])
    assert sorted(saved.tokens[0] for saved in archive.entries()) == [1, 3, 4]


def test_what_is_larger_than_the_quota_is_left_out(tmp_path):
    archive = make_archive(tmp_path, quota=1500)
    archive.write([make_saved(1, size=2000), make_saved(2)])
    assert [saved.tokens[0] for saved in archive.entries()] == [2]


@given(st.data())
def test_a_file_with_any_wrong_byte_is_deleted_and_never_read(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("archive")
    archive = make_archive(folder)
    archive.write([make_saved(size=100, tokens=5)])
    (path,) = (folder / "kv").iterdir()
    raw = bytearray(path.read_bytes())
    entry = archive.entries()[0]
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    assert read(archive, entry) is None
    assert not path.exists()


@pytest.mark.parametrize("change", [lambda raw: raw[:-1], lambda raw: raw + b"x", lambda _: b""])
def test_a_file_of_another_length_is_deleted(tmp_path, change):
    archive = make_archive(tmp_path)
    archive.write([make_saved()])
    (path,) = (tmp_path / "kv").iterdir()
    path.write_bytes(change(path.read_bytes()))
    assert archive.entries() == []
    assert not path.exists()


def test_links_and_pipes_are_not_followed(tmp_path):
    archive = make_archive(tmp_path)
    archive.write([make_saved()])
    (path,) = (tmp_path / "kv").iterdir()
    real = path.rename(tmp_path / "elsewhere")
    path.symlink_to(real)
    os.mkfifo(path.with_name(path.name.replace("-", "-0")))
    assert archive.entries() == []
    assert real.exists()


def test_a_state_that_has_grown_replaces_what_it_was(tmp_path):
    archive = make_archive(tmp_path)
    archive.write([make_saved(1, tokens=50), make_saved(2, tokens=50)])
    short = max(archive.entries(), key=lambda saved: saved.tokens == make_saved(1).tokens)
    other = next(saved for saved in archive.entries() if saved.tokens != short.tokens)
    archive.write([make_saved(1, tokens=60)], [short, other])
    left = {(saved.tokens[0], len(saved.tokens)) for saved in archive.entries()}
    assert left == {(1, 60), (2, 50)}  # what begins otherwise stays


def test_what_cannot_be_written_in_time_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("actorllm.actors.runner.engine.archive._WRITE_SECONDS", -1.0)
    make_archive(tmp_path).write([make_saved()])
    assert files(tmp_path) == []


def test_there_are_only_so_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr("actorllm.actors.runner.engine.archive._MOST_ENTRIES", 3)
    make_archive(tmp_path).write([make_saved(number) for number in range(1, 6)])
    assert len(files(tmp_path)) == 3


def test_a_folder_that_cannot_be_made_costs_nothing_but_the_states(tmp_path):
    (tmp_path / "kv").write_text("a file")
    archive = make_archive(tmp_path)
    archive.write([make_saved()])
    assert archive.entries() == []


def test_a_folder_in_the_place_of_a_file_costs_nothing(tmp_path):
    archive = make_archive(tmp_path)
    archive.write([make_saved(1), make_saved(2)])
    one, other = archive.entries()
    for saved in (one, other):
        (tmp_path / "kv" / saved.name).unlink()
        (tmp_path / "kv" / saved.name).mkdir()
    assert archive.entries() == []
    assert read(archive, one) is None
    archive.write([make_saved(1)], [other])


def test_what_is_read_only_is_read_all_the_same(tmp_path, monkeypatch):
    """A file system that takes no writes: the superuser, as whom tests may run, needs a stand-in."""

    def refuse(*_args, **_options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    make_archive(tmp_path).write([make_saved(1), make_saved(2)])
    archive = make_archive(tmp_path)
    first, second = archive.entries()
    path = tmp_path / "kv" / second.name
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    for name in ("utime", "unlink"):
        monkeypatch.setattr(os, name, refuse)
    assert read(archive, first) == make_saved(first.tokens[0]).data
    assert read(archive, second) is None


def test_a_file_that_has_gone_is_no_error(tmp_path):
    archive = make_archive(tmp_path)
    archive.write([make_saved()])
    (entry,) = archive.entries()
    (tmp_path / "kv" / entry.name).unlink()
    assert read(archive, entry) is None


@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0, 10)), max_size=30))
def test_the_store_keeps_within_its_budget_and_says_who_goes(rows):
    store = Store(100)
    kept = set()
    for size, cost in rows:
        saved = Saved((1,), 0, size, cost, bytes(size))
        gone = store.add(saved)
        kept.add(saved)
        kept.difference_update(gone)
        assert set(store) == kept
        assert store.used == sum(entry.size for entry in kept) <= 100


def test_cheap_and_large_entries_go_first_and_unused_ones_age():
    store = Store(100)
    dear, cheap = Saved((1,), 0, 50, 50.0), Saved((2,), 0, 50, 1.0)
    assert store.add(dear) == []
    assert store.add(cheap) == []
    assert store.add(Saved((3,), 0, 10, 1.0)) == [cheap]
    gone = []
    for _ in range(100):
        gone += store.add(Saved((4,), 0, 50, 5.0))
    assert dear in gone
