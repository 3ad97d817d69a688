"""A conversation as a model reads it."""

from datetime import UTC, datetime

import pytest

from actorllm.actors.runner.conversation import conversation, render_conversation, templates_of
from actorllm.protocol.chat import ChatMessage
from actorllm.protocol.messages.generation import GenerateRequest
from tests.simulation.system import make_model

HI = (ChatMessage("user", "hi"),)
NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
TOOL = {"function": {"parameters": {"properties": {}, "type": "object"}, "name": "f"}, "type": "function"}  # fmt: skip


def rendered(model, messages=HI, **request):
    asked = GenerateRequest("m", "chat", messages=messages, **request)
    said = conversation(model, messages)
    return render_conversation(model, asked, templates_of(model), said, NOON).text


def test_the_models_own_messages_begin_a_conversation():
    model = make_model(
        "m",
        system="S",
        messages=(ChatMessage("user", "q"), ChatMessage("assistant", "a")),
        chat_template="{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}",
    )
    assert rendered(model) == "system:S;user:q;assistant:a;user:hi;"
    assert "system:S" not in rendered(model, (ChatMessage("system", "mine"), *HI))


def test_tools_are_shown_in_the_order_that_models_know():
    model = make_model("m", chat_template="{{ tools | tojson }}{{ messages[0].content }}")
    text = rendered(model, tools=(TOOL,))
    assert text.index('"type"') < text.index('"function"') < text.index('"parameters"')
    assert text.index('"name"') < text.index('"parameters"')


@pytest.mark.parametrize("tool", [{"strict": True}, {"function": {"parameters": 7, "x": 1}}])
def test_what_is_no_usual_declaration_keeps_its_keys(tool):
    model = make_model("m", chat_template="{% for t in tools %}{{ t | string }}{% endfor %}")
    assert rendered(model, tools=(tool,)) == str(tool)
