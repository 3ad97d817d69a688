import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.actors.builder.convert.checkpoint import open_checkpoint
from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.safetensors import parse_header, read_header
from tests.builder.convert.making import bf16, safetensors

GOOD = {"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}


def header(**changes):
    return json.dumps({"a": GOOD["a"] | changes}).encode()


def refusal(call, *args):
    with pytest.raises(ConvertError) as info:
        call(*args)
    return str(info.value)


def test_a_header_says_where_its_tensors_are():
    lines = {
        "__metadata__": {"format": "pt"},
        "b": {"dtype": "BF16", "shape": [4], "data_offsets": [24, 32]},
        "scalar": {"dtype": "F32", "shape": [], "data_offsets": [32, 36]},
        **GOOD,
    }
    raw = json.dumps(lines).encode() + b"   "
    found = parse_header(raw, 36, "x")
    assert [(e.name, e.dtype, e.shape, e.size) for e in found] == [
        ("a", "F32", (2, 3), 24),
        ("b", "BF16", (4,), 8),
        ("scalar", "F32", (), 4),
    ]
    assert found[0].offset == 8 + len(raw)


@pytest.mark.parametrize(
    ("raw", "size", "said"),
    [
        (b"[]", 0, "holds no JSON object"),
        (b"{", 0, "is not valid JSON"),
        (b"\xff\xfe", 0, "is not valid JSON"),
        (b"[" * 100_000, 0, "is not valid JSON"),
        (b'{"a": 1}', 0, "has no proper dtype"),
        (b'{"a": 1, "a": 2}', 0, "has a key twice"),
        (b'{"": {}}', 0, "whose name is empty"),
        (b'{"a\\nb": {}}', 0, "not printable"),
        (json.dumps({"x" * 2000: GOOD["a"]}).encode(), 24, "too long"),
        (header(dtype="F33"), 24, "unknown type"),
        (header(dtype=["F32"]), 24, "unknown type"),
        (header(shape=[2, -3]), 24, "invalid shape"),
        (header(shape=[2, 3.0]), 24, "invalid shape"),
        (header(shape=[2, True]), 24, "invalid shape"),
        (header(shape=[1] * 9), 24, "invalid shape"),
        (header(shape=[2**60, 2**60]), 24, "invalid shape"),
        (header(shape=[2, 4]), 24, "contradict"),
        (header(data_offsets=[24, 0]), 24, "invalid offsets"),
        (header(data_offsets=[0]), 24, "invalid offsets"),
        (header(data_offsets=[0, 2**70]), 24, "invalid offsets"),
        (header(data_offsets=[8, 32]), 32, "overlaps or has a hole"),
        (header(), 23, "is cut off"),
        (header(), 25, "more data than its header says"),
        (json.dumps(GOOD | {"b": GOOD["a"]}).encode(), 24, "overlaps or has a hole"),
        (header(extra=1), 24, "has no proper dtype"),
    ],
)
def test_a_header_that_lies_is_refused(raw, size, said):
    assert said in refusal(parse_header, raw, size, "x")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1234567",
        struct.pack("<Q", 0),
        struct.pack("<Q", 1) + b"{",
        struct.pack("<Q", 3) + b"{}",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2**64 - 1),
        b"GGUF" + bytes(100),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, data):
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    assert "a.safetensors" in refusal(read_header, path)


@given(st.binary(max_size=300), st.integers(0, 400))
def test_any_bytes_are_taken_or_refused(raw, size):
    try:
        parse_header(raw, size, "x")
    except ConvertError:
        return


@given(st.data())
def test_any_change_of_a_header_is_taken_or_refused(data):
    raw = bytearray(header())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(32, 126))
    try:
        (entry,) = parse_header(bytes(raw), 24, "x")
    except (ConvertError, ValueError):
        return
    assert entry.size == 24


def test_shards_are_one_checkpoint_and_numbers_are_read_where_they_lie(tmp_path):
    first, second = np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(4, np.float16)
    safetensors(tmp_path / "model-00001-of-00002.safetensors", {"a": first})
    safetensors(tmp_path / "model-00002-of-00002.safetensors", {"b": second, "c": bf16(first)})
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    found = open_checkpoint(tmp_path)
    assert set(found.entries) == {"a", "b", "c"}
    assert np.array_equal(found.array("a"), first)
    assert np.array_equal(found.array("b"), second)
    assert found.array("c").dtype == np.uint16
    assert not found.array("a").flags.owndata


def test_shards_that_do_not_fit_together_are_refused(tmp_path):
    ones = np.ones(4, np.float32)
    assert refusal(open_checkpoint, tmp_path) == "no safetensors files were given"
    safetensors(tmp_path / "a.safetensors", {"a": ones})
    index = tmp_path / "model.safetensors.index.json"
    for content, said in [
        ({"weight_map": {"gone": "b.safetensors"}}, "it should be in b.safetensors"),
        ({"weight_map": {"a": 5}}, "it should be in its file"),
        ({"weight_map": [1]}, "has no weight_map"),
        ({}, "has no weight_map"),
    ]:
        index.write_text(json.dumps(content))
        assert said in refusal(open_checkpoint, tmp_path)
    index.unlink()
    safetensors(tmp_path / "b.safetensors", {"a": ones})
    assert "is in two files" in refusal(open_checkpoint, tmp_path)


def test_types_without_numbers_to_convert_are_refused(tmp_path):
    safetensors(tmp_path / "a.safetensors", {"a": np.ones(4, np.int64)})
    assert "I64" in refusal(open_checkpoint(tmp_path).array, "a")
