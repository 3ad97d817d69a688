from pathlib import Path

import pytest

from actorllm.actors.builder.facts import GgufFacts, gguf_facts
from actorllm.actors.library.gguf import Gguf, Tensor


def header(**metadata):
    tensor = Tensor("w", "F16", (1000, 5), 0, 10_000)
    fields = {key.replace("__", "."): value for key, value in metadata.items()}
    return Gguf(Path("x"), 3, fields, (tensor,), 32, 10_000)


def test_facts_of_weights():
    gguf = header(
        general__architecture="llama",
        general__file_type=15,
        llama__block_count=2,
        llama__vision__block_count=2,
        split__count=3,
    )
    assert gguf_facts(gguf) == GgufFacts("llama", "weights", "5K", 15, "Q4_K_M", 3, 0, 5000)


@pytest.mark.parametrize(
    ("metadata", "role"),
    [
        ({"general__architecture": "clip"}, "projector"),
        ({"general__type": "mmproj"}, "projector"),
        ({"general__type": "projector"}, "projector"),
        ({"general__architecture": "x", "x__vision__block_count": 1}, "projector"),
        ({"general__type": "adapter", "general__architecture": "llama"}, "adapter"),
        ({"general__type": "imatrix"}, "matrix"),
        ({"general__architecture": "llama"}, "weights"),
        ({}, "weights"),
    ],
)
def test_the_role_of_a_file_is_in_its_header(metadata, role):
    assert gguf_facts(header(**metadata)).role == role
