"""The rungs that are remembered on disk."""

import json
import os

import pytest

from actorllm.actors.scheduler.rungs import Rungs, machine_id
from actorllm.protocol.errors import Refused

MACHINE = "0123456789ab"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "rungs.json"


def test_a_rung_is_remembered_over_restarts(path):
    Rungs(path, MACHINE).remember("sha256:a", 2)
    again = Rungs(path, MACHINE)
    assert again.get("sha256:a") == 2
    assert again.get("sha256:b") == 0


def test_the_top_of_the_ladder_is_forgotten(path):
    rungs = Rungs(path, MACHINE)
    rungs.remember("sha256:a", 2)
    rungs.remember("sha256:a", 0)
    assert json.loads(path.read_text()) == {MACHINE: {}}


def test_nothing_is_written_when_nothing_changes(path):
    Rungs(path, MACHINE).remember("sha256:a", 0)
    assert not path.exists()


def test_another_machine_begins_at_the_top(path):
    Rungs(path, MACHINE).remember("sha256:a", 2)
    assert Rungs(path, "another").get("sha256:a") == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"0123456789ab": []}',
        '{"0123456789ab": {"sha256:a": "2"}}',
        '{"0123456789ab": {"sha256:a": -1}}',
        '{"0123456789ab": {"sha256:a": true}}',
        '{"0123456789ab": {"sha256:a": 99}}',
        "[" * 100_000,
        '"' + "x" * (2 << 20) + '"',
    ],
)
def test_a_damaged_file_counts_as_empty_and_is_replaced(path, text):
    path.parent.mkdir()
    path.write_text(text)
    rungs = Rungs(path, MACHINE)
    assert rungs.get("sha256:a") == 0
    rungs.remember("sha256:b", 1)
    assert Rungs(path, MACHINE).get("sha256:b") == 1


def test_bytes_that_are_no_text_count_as_empty(path):
    path.parent.mkdir()
    path.write_bytes(b"\xff\xfe\x00")
    assert Rungs(path, MACHINE).get("sha256:a") == 0


def test_a_write_that_fails_leaves_the_old_file_and_no_other(path, monkeypatch):
    rungs = Rungs(path, MACHINE)
    rungs.remember("sha256:a", 2)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Refused, match="no space left"):
        rungs.remember("sha256:b", 1)
    assert [p.name for p in path.parent.iterdir()] == ["rungs.json"]
    assert Rungs(path, MACHINE).get("sha256:a") == 2


def test_what_could_not_be_written_is_known_until_the_end(path, monkeypatch):
    path.parent.mkdir()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(13, "denied")))
    rungs = Rungs(path, MACHINE)
    with pytest.raises(OSError, match="denied"):
        rungs.remember("sha256:a", 1)
    assert rungs.get("sha256:a") == 1


def test_the_oldest_of_very_many_models_is_forgotten(path, monkeypatch):
    monkeypatch.setattr("actorllm.actors.scheduler.rungs._MAX_MODELS", 3)
    rungs = Rungs(path, MACHINE)
    for name in "abcd":
        rungs.remember(name, 1)
    assert [rungs.get(name) for name in "abcd"] == [0, 1, 1, 1]


def test_the_machine_is_named_by_its_cpu(tmp_path):
    def machine(text):
        (tmp_path / "cpuinfo").write_text(text)
        return machine_id(tmp_path / "cpuinfo")

    one = machine("processor: 0\nmodel name: A\nflags: sse\nprocessor: 1\nmodel name: A\n")
    assert len(one) == 12
    assert machine("model name: A\nflags: sse\n") == one
    assert machine("model name: A\nflags: sse amx\n") != one
    assert len(machine_id(tmp_path / "absent")) == 12
