"""How an answer to a prompt is read."""

from datetime import UTC, datetime

import pytest

from actorllm.actors.runner.conversation import render_conversation, templates_of
from actorllm.actors.runner.reading import facts_of, parser_name, parser_of
from actorllm.protocol.chat import ChatMessage
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import GenerateRequest
from tests.simulation.system import make_model

REQUEST = GenerateRequest("m", "chat", messages=(ChatMessage("user", "hi"),), think=True)
THINKS = "{{ messages[0].content }}<think>\n{# </think> #}"
OSS = "<|start|>user<|message|>{{ .Prompt }}<|end|><|start|>assistant"


def prompt_of(model):
    templates = templates_of(model)
    noon = datetime(2025, 1, 1, 12, tzinfo=UTC)
    return templates, render_conversation(model, REQUEST, templates, REQUEST.messages, noon)


def read(model, text):
    parser = parser_of(model, REQUEST, *prompt_of(model))
    steps = [parser.feed(text), parser.finish()]
    return "".join(s.thinking for s in steps), "".join(s.content for s in steps)


def test_an_answer_begins_in_the_thoughts_that_its_prompt_has_opened():
    model = make_model("m", chat_template=THINKS)
    assert read(model, "hm</think>\n\nyes") == ("hm", "yes")


def test_the_answer_to_a_text_of_the_clients_own_is_passed_through():
    model = make_model("m", chat_template=THINKS)
    parser = parser_of(model, REQUEST, templates_of(model), None)
    assert parser.feed("hm</think>yes").content == "hm</think>yes"


def test_prompts_of_gpt_oss_are_answered_in_harmony():
    model = make_model("m", template=OSS, architecture="gptoss", native=False)
    templates, rendered = prompt_of(model)
    assert parser_name(model, rendered) == "harmony"
    assert facts_of(REQUEST, templates, rendered).kind == "go"
    assert read(model, "<|channel|>analysis<|message|>hm<|end|>") == ("hm", "")


def test_a_parser_that_there_is_not_is_refused():
    model = make_model("m", chat_template=THINKS, parser="nobody")
    with pytest.raises(Refused, match="nobody"):
        read(model, "")
