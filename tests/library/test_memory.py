"""Prediction of memory from headers."""

import gguf as writer
import numpy as np
import pytest

from actorllm.actors.library.gguf import read_gguf
from actorllm.actors.library.memory import KV_BYTES, memory_shape, predict, with_extra

from .conftest import BERT, SEEDLING


def make(tmp_path, arch, **values):
    path = tmp_path / "m.gguf"
    out = writer.GGUFWriter(path, arch)
    for field, value in values.items():
        key = f"{arch}.{field.replace('__', '.')}"
        if isinstance(value, list):
            out.add_array(key, value)
        else:
            out.add_uint64(key, value)
    out.add_tensor("t", np.zeros(8, dtype=np.float32))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return memory_shape(read_gguf(path))


def test_the_cache_of_the_seedling():
    shape = memory_shape(read_gguf(SEEDLING))
    assert shape.weights == SEEDLING.stat().st_size
    need = predict(shape, context=1024)
    assert need.kv_cache == 5 * 2 * (64 + 64) * 1024 * 2
    assert need.state == 0
    assert need.total == need.weights + need.kv_cache + need.compute
    assert predict(shape, context=2048).kv_cache == 2 * need.kv_cache


@pytest.mark.parametrize(
    ("context", "flash", "reported"),
    [
        (512, False, 8.0098),
        (512, True, 7.0137),
        (1024, False, 13.0098),
        (1024, True, 7.5137),
        (8192, False, 83.0098),
        (8192, True, 14.5137),
    ],
)
def test_the_compute_buffer_is_what_llama_cpp_reports(context, flash, reported):
    # MiB, printed by llama.cpp of llama-cpp-python 0.3.36 for 512 tokens a step on a CPU.
    need = predict(memory_shape(read_gguf(SEEDLING)), context=context, flash_attention=flash)
    assert need.compute / 2**20 == pytest.approx(reported, rel=0.01)


@pytest.mark.parametrize("kind", KV_BYTES)
def test_smaller_types_take_less(kind):
    shape = memory_shape(read_gguf(SEEDLING))
    f16 = predict(shape, context=1024).kv_cache
    assert predict(shape, context=1024, kv_type=kind).kv_cache == f16 * KV_BYTES[kind] / 2


def test_a_model_like_llama_3_8b_takes_what_llama_cpp_reports(tmp_path):
    shape = make(
        tmp_path,
        "llama",
        block_count=32,
        embedding_length=4096,
        feed_forward_length=14336,
        attention__head_count=32,
        attention__head_count_kv=8,
        vocab_size=128256,
    )
    need = predict(shape, context=8192)
    assert need.kv_cache == 1024 * 2**20
    assert 258 * 2**20 < need.compute < 300 * 2**20  # llama.cpp says 258.5 MiB
    assert predict(shape, context=8192, flash_attention=False).compute > 500 * 2**20


def test_numbers_for_each_layer_are_added_up(tmp_path):
    shape = make(
        tmp_path,
        "hybrid",
        block_count=4,
        embedding_length=512,
        attention__head_count=[8, 8, 8, 8],
        attention__head_count_kv=[0, 2, 0, 4],
        attention__key_length=64,
        attention__value_length=32,
        feed_forward_length=[100, 300, 200, 100],
        ssm__inner_size=256,
        ssm__state_size=16,
        ssm__conv_kernel=4,
    )
    assert shape.kv_values == 6 * 96
    assert shape.feed_forward == 300
    assert shape.state_bytes == 4 * 4 * (3 * 256 + 256 * 16)
    assert predict(shape, context=100, slots=3).state == 3 * shape.state_bytes


def test_an_encoder_has_no_cache():
    assert predict(memory_shape(read_gguf(BERT)), context=512).kv_cache == 0


def test_hostile_numbers_stay_bounded(tmp_path):
    most = 2**64 - 1
    shape = make(
        tmp_path,
        "x",
        block_count=most,
        embedding_length=most,
        attention__head_count=most,
        attention__head_count_kv=most,
        attention__key_length=most,
        ssm__inner_size=most,
        ssm__state_size=most,
    )
    assert shape.layers <= 4096
    assert shape.kv_values < 2**63
    assert shape.state_bytes < 2**63


def test_projectors_count_as_weights():
    shape = memory_shape(read_gguf(BERT))
    assert with_extra(shape, 10).weights == shape.weights + 10
