"""What is refused before anything is loaded, and in which order."""

import pytest

from actorllm.actors.queue.checks import (
    check_capabilities,
    check_format,
    check_grammar,
    check_media,
    effective_think,
    is_empty,
)
from actorllm.protocol.chat import ChatMessage, ToolChoice
from actorllm.protocol.codec import evolve
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import GenerateRequest
from tests.simulation.system import make_model

HELLO = (ChatMessage("user", "hello"),)
TOOL = {"type": "function", "function": {"name": "f"}}


def generate(**changes) -> GenerateRequest:
    return GenerateRequest("m", "generate", **({"prompt": "p"} | changes))


def chat(**changes) -> GenerateRequest:
    return GenerateRequest("m", "chat", **({"messages": HELLO} | changes))


def refusal(request: GenerateRequest, *capabilities: str) -> tuple[int, str]:
    with pytest.raises(Refused) as refused:
        check_capabilities(request, make_model("m", full_name="full/m", capabilities=capabilities))
    return refused.value.problem.status, refused.value.problem.text


RAW = "raw mode does not support template, system, or context"
THINKING = '"m" does not support thinking'
GENERATE = '"m" does not support generate'
CHAT = '"m" does not support chat'
IMAGES = '"m" does not support images; remove them or use a vision model'
TOOLS = "full/m does not support tools"
INSERT = "full/m does not support insert"


@pytest.mark.parametrize(
    ("request_", "capabilities", "text"),
    [
        (generate(raw=True, template="t"), ("completion",), RAW),
        (generate(raw=True, system="s"), ("completion",), RAW),
        (generate(raw=True, context=(1,)), ("completion",), RAW),
        (generate(think=True), ("completion",), THINKING),
        (chat(think="high"), ("completion",), THINKING),
        (generate(), ("embedding",), GENERATE),
        (chat(), ("embedding",), CHAT),
        (generate(images=(b"i",)), ("completion",), IMAGES),
        (chat(messages=(ChatMessage("user", images=(b"i",)),)), ("completion",), IMAGES),
        (chat(tools=(TOOL,)), ("completion",), TOOLS),
        (generate(suffix="s"), ("completion",), INSERT),
        (generate(suffix="s", tools=(TOOL,)), ("completion",), f"{TOOLS}\n{INSERT}"),
    ],
)
def test_what_a_model_cannot_do_is_refused(request_, capabilities, text):
    assert refusal(request_, *capabilities) == (400, text)


def test_the_first_of_several_reasons_is_said():
    wants = {"images": (b"i",), "suffix": "s"}
    everything = generate(raw=True, system="s", think=True, **wants)
    assert refusal(everything, "embedding")[1] == RAW
    assert refusal(generate(think=True, **wants), "embedding")[1] == THINKING
    assert refusal(generate(**wants), "embedding")[1] == GENERATE
    assert refusal(generate(**wants), "completion")[1] == INSERT
    assert refusal(generate(**wants), "completion", "insert")[1] == IMAGES


def test_a_request_that_only_loads_may_have_images():
    check_capabilities(generate(prompt="", images=(b"i",)), make_model("m"))


def test_a_prompt_that_is_only_rendered_may_have_images():
    check_capabilities(generate(prompt="x", images=(b"i",), render_only=True), make_model("m"))


def test_what_a_model_can_do_is_not_refused():
    able = make_model("m", capabilities=("completion", "vision", "tools", "thinking", "insert"))
    check_capabilities(chat(tools=(TOOL,), think=True, images=(b"i",)), able)
    check_capabilities(generate(suffix="s", raw=True), able)


def test_thinking_may_be_dropped_in_place_of_a_refusal():
    plain = make_model("m")
    request = chat(think=True, drop_unsupported_thinking=True)
    check_capabilities(request, plain)
    assert effective_think(request, plain) is None


@pytest.mark.parametrize(
    ("asked", "capabilities", "think"),
    [
        (None, ("completion", "thinking"), True),
        (False, ("completion", "thinking"), False),
        ("low", ("completion", "thinking"), "low"),
        (None, ("completion",), None),
        (False, ("completion",), False),
    ],
)
def test_a_thinking_model_thinks_unless_told_otherwise(asked, capabilities, think):
    model = make_model("m", capabilities=capabilities)
    assert effective_think(chat(think=asked), model) == think


def test_a_request_without_words_generates_nothing():
    assert is_empty(generate(prompt=""))
    assert is_empty(chat(messages=()))
    assert not is_empty(generate())
    assert not is_empty(chat())


@pytest.mark.parametrize("wanted", [None, "", "json", {}, {"type": "object"}])
def test_a_format_is_nothing_json_or_a_schema(wanted):
    check_format(wanted)


@pytest.mark.parametrize(
    ("wanted", "quoted"), [("yaml", r'"\"yaml\""'), (7, '"7"'), (["json"], r'"[\"json\"]"')]
)
def test_another_format_is_quoted_in_its_refusal(wanted, quoted):
    with pytest.raises(Refused) as refused:
        check_format(wanted)
    assert refused.value.problem.status == 500
    assert refused.value.problem.text == (
        f'invalid format: {quoted}; expected "json" or a valid JSON Schema object'
    )


def test_a_grammar_is_all_that_an_answer_keeps_to():
    for request in (
        generate(grammar="g"),
        generate(grammar="g", format=""),
        generate(format="json"),
        chat(tool_choice=ToolChoice()),
    ):
        check_grammar(request)
    for request, said in (
        (generate(grammar="g", format={}), "a format or to a grammar"),
        (chat(grammar="g", tool_choice=ToolChoice()), "no tool_choice"),
    ):
        with pytest.raises(Refused, match=said) as refused:
            check_grammar(request)
        assert refused.value.problem.status == 400


def test_images_are_refused_where_nobody_would_look_at_them():
    for request in (generate(prompt="x", images=(b"i",)), chat(images=(b"i",))):
        with pytest.raises(Refused, match="does not run projectors") as refused:
            check_media(request)
        assert refused.value.problem.status == 400
        check_media(evolve(request, render_only=True))
    check_media(chat())
    check_media(generate(prompt="", images=(b"i",)))
