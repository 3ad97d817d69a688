"""What a model can do, and how large it is in words."""

import pytest

from actorllm.actors.library.capabilities import capabilities
from actorllm.actors.library.details import human_number
from actorllm.actors.library.facts import weights_facts
from actorllm.actors.library.gguf import read_gguf
from actorllm.actors.library.templates import Abilities, TemplateFacts
from actorllm.protocol.manifest import ModelConfig

from .conftest import BERT, SEEDLING

BOTH = TemplateFacts(tools=True, thinking=True)


def test_capabilities_come_in_the_order_of_the_reference():
    llama, bert = (weights_facts(read_gguf(path)) for path in (SEEDLING, BERT))
    config = ModelConfig(capabilities=("image",))
    assert capabilities(ModelConfig(), bert) == ("embedding",)
    assert capabilities(config, llama, jinja=BOTH) == ("image", "tools", "thinking", "completion")
    everything = TemplateFacts(tools=True, suffix=True, thinking=True)
    assert capabilities(ModelConfig(), llama, template=everything) == (
        "completion",
        "tools",
        "insert",
        "thinking",
    )
    assert capabilities(ModelConfig(), llama, projectors=[bert]) == ("completion", "vision")
    assert capabilities(ModelConfig(), llama, parser=Abilities(tools=True)) == (
        "completion",
        "tools",
    )
    assert capabilities(ModelConfig(model_family="gptoss"), llama) == ("completion", "thinking")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (512, "512"),
        (3984, "4K"),
        (4_459_264, "4.46M"),
        (361_821_120, "361.82M"),
        (7_000_000, "7M"),
        (8_030_261_248, "8.0B"),
        (70_000_000_000, "70B"),
        (1_026_408_232_448, "1.0T"),
    ],
)
def test_numbers_of_parameters_are_for_people(number, text):
    assert human_number(number) == text
