"""Which template makes the prompts, and what a model can do."""

import pytest

from actorllm.actors.library.capabilities import Abilities, capabilities, is_harmony
from actorllm.actors.library.details import human_number
from actorllm.actors.library.facts import weights_facts
from actorllm.actors.library.gguf import read_gguf
from actorllm.actors.library.templates import TemplateFacts, jinja_facts, uses_jinja
from actorllm.protocol.manifest import ModelConfig

from .conftest import BERT, SEEDLING

PLAIN = TemplateFacts()
TOOLS = TemplateFacts(tools=True)
ROUND = TemplateFacts(tools=True, tool_round_trip=True)
BOTH = TemplateFacts(tools=True, thinking=True)
FILL = TemplateFacts(tools=True, suffix=True)


@pytest.mark.parametrize(
    ("go", "jinja", "wish", "native"),
    [
        (None, None, None, True),
        (None, TOOLS, True, True),
        (PLAIN, None, None, False),
        (PLAIN, None, False, True),
        (PLAIN, TOOLS, True, False),
        (PLAIN, TOOLS, False, True),
        (PLAIN, TOOLS, None, True),
        (PLAIN, PLAIN, None, False),
        (TOOLS, TOOLS, None, False),
        (TOOLS, ROUND, None, True),
        (ROUND, ROUND, None, False),
        (ROUND, BOTH, None, False),
        (TOOLS, BOTH, None, True),
        (FILL, BOTH, None, False),
        (BOTH, TOOLS, None, False),
    ],
)
def test_the_abler_template_wins_unless_the_user_says_so(go, jinja, wish, native):
    assert uses_jinja(go, jinja, go_template=wish) is native


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("{{ messages }}", PLAIN),
        ("{% if tools %}", TOOLS),
        ("tool_calls {{ message.role == 'tool' }}", ROUND),
        ('tool_calls message["role"] == "tool"', ROUND),
        ("tool_calls <tool_response>", ROUND),
        ("assistant_tool_call ipython", ROUND),
        ("<think></think>", TemplateFacts(thinking=True)),
        ("<think>", PLAIN),
        ("content.split('</think>')[-1]", TemplateFacts(thinking=True)),
        ("content.split('</think>') reasoning_content", PLAIN),
        ("content.split('</think>') <SPECIAL_12>", PLAIN),
    ],
)
def test_a_jinja_template_says_what_it_can(text, facts):
    assert jinja_facts(text) == facts


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


def test_harmony_needs_its_family_and_its_tags():
    config = ModelConfig(model_family="gptoss")
    assert is_harmony(config, "<|start|>{{ .Role }}<|end|>")
    assert not is_harmony(config, "{{ .Prompt }}")
    assert not is_harmony(config, None)
    assert not is_harmony(ModelConfig(model_family="llama"), "<|start|><|end|>")


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
