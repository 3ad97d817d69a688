import tracemalloc

import numpy as np
import pytest

from actorllm.actors.builder.convert.encode import encoded
from actorllm.actors.builder.convert.errors import ConvertError
from tests.builder.convert.making import bf16

NUMBERS = np.array([[0.0, -0.0, 1.0, -2.5], [3.14159, 1e-8, 65504.0, -1e-3]], np.float32)


def converted(array, dtype, wanted, plus=0.0):
    return b"".join(c.tobytes() for c in encoded(array, dtype, wanted, plus, "t"))


def test_numbers_become_numbers_of_each_type():
    as_f16 = NUMBERS.astype(np.float16)
    assert converted(NUMBERS, "F32", "F32") == NUMBERS.tobytes()
    assert converted(NUMBERS, "F32", "F16") == as_f16.tobytes()
    assert converted(as_f16, "F16", "F32") == as_f16.astype(np.float32).tobytes()
    assert converted(as_f16, "F16", "F16") == as_f16.tobytes()
    back = (bf16(NUMBERS).astype(np.uint32) << 16).view(np.float32)
    assert converted(bf16(NUMBERS), "BF16", "F32") == back.tobytes()
    assert converted(bf16(NUMBERS), "BF16", "BF16") == bf16(NUMBERS).tobytes()
    assert converted(bf16(NUMBERS), "BF16", "F16") == back.astype(np.float16).tobytes()
    assert converted(NUMBERS.astype(np.float64), "F64", "F32") == NUMBERS.tobytes()


def test_bf16_is_rounded_to_the_nearest():
    up = np.array([1.00390625 + 0.00390625, 1.0], np.float32)  # above half of a step
    (bits,) = (np.frombuffer(converted(up, "F32", "BF16"), np.uint16),)
    assert (bits.astype(np.uint32) << 16).view(np.float32).tolist() == [1.0078125, 1.0]


def test_something_can_be_added_to_each_number():
    assert converted(NUMBERS, "F32", "F32", 1.0) == (NUMBERS + 1).tobytes()


def test_numbers_that_are_too_large_for_f16_are_refused_not_lost():
    big = np.array([70_000.0, 1.0], np.float32)
    with pytest.raises(ConvertError, match="too large for F16; quantize to BF16 or F32"):
        converted(big, "F32", "F16")
    assert len(converted(big, "F32", "BF16")) == 4
    infinite = np.array([np.inf], np.float32)
    assert np.isinf(np.frombuffer(converted(infinite, "F32", "F16"), np.float16)).all()


def test_a_large_tensor_is_never_whole_in_memory():
    array = np.zeros((64, 1 << 20), np.float16)  # 128 MiB, 256 MiB as F32
    tracemalloc.start()
    total = sum(chunk.nbytes for chunk in encoded(array, "F16", "F32", 0.0, "t"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 64 * (1 << 20) * 4
    assert peak < 64 << 20


def test_scalars_and_vectors_are_tensors_too():
    assert converted(np.array(2.0, np.float32), "F32", "F16") == np.float16(2).tobytes()
    assert converted(np.arange(3, dtype=np.float32), "F32", "F16") == (
        np.arange(3, dtype=np.float16).tobytes()
    )
