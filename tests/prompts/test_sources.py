"""Which template a question means, and how long its texts may be."""

import pytest

from actorllm.actors.prompts.bounds import check_answer, check_prompt, check_text, check_tokens
from actorllm.actors.prompts.sources import (
    check_source,
    kind_of_template,
    own_reason,
    with_source,
)
from actorllm.protocol.chat import ChatMessage
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.prompts import RenderPrompt
from tests.simulation.system import make_model

HI = (ChatMessage("user", "hi"),)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "go"),
        ("plain", "go"),
        ("<{{ .Prompt }}>", "go"),
        ("{{- range .Messages }}{{ .Content }}{{ end }}", "go"),
        ("{{if .System}}x{{end}}", "go"),
        ("{{ messages[0]['content'] }}", "jinja"),
        ("{{ iffy }}", "jinja"),
        ("{% for m in messages %}{{ m.content }}{% endfor %}", "jinja"),
    ],
)
def test_go_and_jinja_are_told_apart(text, kind):
    assert kind_of_template(text) == kind


@pytest.mark.parametrize(
    ("question", "text"),
    [
        (RenderPrompt("c", HI), "name a model, a renderer or a template"),
        (RenderPrompt("c", HI, renderer="r", template="t"), "name a renderer or a template"),
        (RenderPrompt("c", (), model="m"), "messages are required"),
    ],
)
def test_a_question_without_sense_is_refused(question, text):
    with pytest.raises(Refused, match=text) as caught:
        check_source(question)
    assert caught.value.problem.status == 400


def test_a_template_takes_the_place_of_all_that_the_model_has():
    model = make_model("m", renderer="r", template="g", chat_template="j")
    go = with_source(model, RenderPrompt("c", HI, template="{{ .Prompt }}"))
    assert (go.renderer, go.template, go.chat_template, go.native) == (
        "", "{{ .Prompt }}", None, False
    )  # fmt: skip
    jinja = with_source(model, RenderPrompt("c", HI, template="{% set x = 1 %}"))
    assert (jinja.renderer, jinja.template, jinja.chat_template, jinja.native) == (
        "", None, "{% set x = 1 %}", True
    )  # fmt: skip
    assert with_source(model, RenderPrompt("c", HI, renderer="other")).renderer == "other"
    assert with_source(model, RenderPrompt("c", HI)) == model


def test_the_reason_names_what_the_request_brought():
    assert own_reason(RenderPrompt("c", HI, renderer="r")) == "the request names the renderer r"
    assert own_reason(RenderPrompt("c", HI, template="x")) == "the request brings a Go template"
    assert own_reason(RenderPrompt("c", HI, model="m")) == ""


@pytest.mark.parametrize(
    "check",
    [
        lambda: check_text("x" * ((1 << 20) + 1), shown=False),
        lambda: check_text("x" * ((1 << 17) + 1), shown=True),
        lambda: check_tokens((1,) * ((1 << 20) + 1)),
        lambda: check_answer(("x" * (1 << 20), "y")),
        lambda: check_answer(("",) * ((1 << 16) + 1)),
        lambda: check_prompt("x" * ((8 << 20) + 1)),
    ],
)
def test_what_is_too_long_is_refused(check):
    with pytest.raises(Refused) as caught:
        check()
    assert caught.value.problem.status == 413
