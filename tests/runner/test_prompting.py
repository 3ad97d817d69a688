"""Requests to what the engine gets."""

import attrs
import pytest

from actorllm.actors.runner.engine.fake import FAKE_BOS
from actorllm.actors.runner.prompting import prepare
from actorllm.protocol.chat import ChatMessage
from actorllm.protocol.errors import Refused
from tests.simulation.system import make_model

GO = "{{ if .System }}[{{ .System }}]{{ end }}<{{ .Prompt }}>{{ .Response }}"
GO_MODEL = make_model("m", template=GO, native=False)
HI = (ChatMessage("user", "hi"),)


async def test_a_raw_prompt_is_taken_as_it_is(desk, generate):
    made = prepare(desk.host, desk.loaded, generate(prompt="{{ .X }}", raw=True, model=GO_MODEL))
    assert made.text == "{{ .X }}"
    assert made.tokens == (FAKE_BOS, *b"{{ .X }}")
    assert made.native
    assert made.notices == ()


async def test_the_models_template_is_used_unless_the_request_has_one(desk, generate):
    made = prepare(desk.host, desk.loaded, generate(prompt="p", model=GO_MODEL))
    assert made.text == "<p>"
    assert not made.native
    request = generate(prompt="p", model=GO_MODEL, template="({{ .Prompt }})")
    assert prepare(desk.host, desk.loaded, request).text == "(p)"


@pytest.mark.parametrize(
    ("own", "given", "text"),
    [("", "", "<p>"), ("own", "", "[own]<p>"), ("own", "mine", "[mine]<p>")],
)
async def test_the_requests_system_message_is_stronger(desk, generate, own, given, text):
    model = make_model("m", template=GO, native=False, system=own)
    made = prepare(desk.host, desk.loaded, generate(prompt="p", system=given, model=model))
    assert made.text == text


async def test_a_context_comes_before_the_prompt(desk, generate):
    request = generate(prompt="p", context=(FAKE_BOS, *b"before"), model=GO_MODEL)
    made = prepare(desk.host, desk.loaded, request)
    assert made.text == "before<p>"
    assert made.tokens == tuple(b"before<p>")


@pytest.mark.parametrize(
    ("context", "text"), [(None, "<q>a<p>"), ((), "<p>"), ((FAKE_BOS, *b"x"), "x<p>")]
)
async def test_a_context_stands_for_the_models_own_messages(desk, generate, context, text):
    own = (ChatMessage("user", "q"), ChatMessage("assistant", "a"))
    model = make_model("m", template=GO, native=False, messages=own)
    request = generate(prompt="p", context=context, model=model)
    assert prepare(desk.host, desk.loaded, request).text == text


async def test_a_long_conversation_loses_its_oldest_messages(desk, generate):
    messages = [ChatMessage("user", f"{n}" * 20) for n in range(10)]
    model = make_model(
        "m", chat_template="{% for m in messages %}{{ m.content }}{% endfor %}", system="S"
    )
    made = prepare(desk.host, desk.loaded, generate("chat", messages=tuple(messages), model=model))
    assert len(made.tokens) <= 128
    assert made.text.startswith("S")
    assert made.text.endswith("9" * 20)
    assert made.truncated_messages == 4
    assert made.notices[0] == "the context is too small: 4 messages were dropped"


async def test_a_smaller_window_is_kept_to(desk, generate):
    large = attrs.evolve(desk.loaded, n_ctx=1024)
    request = generate(prompt="x" * 600, raw=True, options={"num_ctx": 256})
    made = prepare(desk.host, large, request)
    assert made.window == 256
    assert len(made.tokens) < 256
    assert made.truncated_tokens == 601 - len(made.tokens)


@pytest.mark.parametrize("wanted", [None, 0, -1, 1, 128])
async def test_a_window_that_cannot_be_as_large_is_said(desk, generate, wanted):
    request = generate(prompt="x", raw=True, options={"num_ctx": wanted})
    assert prepare(desk.host, desk.loaded, request).notices == ()
    request = generate(prompt="x", raw=True, options={"num_ctx": 129})
    assert prepare(desk.host, desk.loaded, request).notices == ("num_ctx 129 was cut to 128",)


async def test_a_long_prompt_may_not_be_cut_where_the_client_says_so(desk, generate):
    request = generate(prompt="x" * 500, raw=True, truncate=False)
    with pytest.raises(Refused, match="exceeds the available context size"):
        prepare(desk.host, desk.loaded, request)
    with pytest.raises(Refused, match="longer than the context length"):
        prepare(desk.host, desk.loaded, generate(prompt="x" * 500, raw=True, shift=False))


async def test_what_is_only_rendered_is_never_cut(desk, generate):
    request = generate(prompt="x" * 500, model=GO_MODEL, render_only=True)
    assert prepare(desk.host, desk.loaded, request).text == f"<{'x' * 500}>"


async def test_some_families_never_shift(desk, generate):
    model = make_model("m", architecture="deepseek2")
    assert not prepare(desk.host, desk.loaded, generate(prompt="p", raw=True, model=model)).shift
    assert prepare(desk.host, desk.loaded, generate(prompt="p", raw=True)).shift


async def test_a_broken_template_is_the_clients_to_know(desk, generate):
    with pytest.raises(Refused) as refused:
        prepare(desk.host, desk.loaded, generate(prompt="p", template="{{ .Prompt"))
    assert 400 <= refused.value.problem.status <= 500
    assert "\n" not in refused.value.problem.text


async def test_variables_of_the_client_reach_a_jinja_template_or_it_is_said(desk, generate):
    shows = make_model("m", chat_template="{{ documents[0].text }}{{ messages[0].content }}")
    told = {"template_variables": {"documents": [{"text": "d"}]}, "messages": HI}
    made = prepare(desk.host, desk.loaded, generate("chat", model=shows, **told))
    assert (made.text, made.notices) == ("dhi", ())
    made = prepare(desk.host, desk.loaded, generate("chat", model=GO_MODEL, **told))
    (notice,) = made.notices
    assert notice.startswith("chat_template_kwargs had no effect")


async def test_stops_are_those_of_the_options(desk, generate):
    m = generate(prompt="p", raw=True, options={"stop": ("a", "b")})
    assert prepare(desk.host, desk.loaded, m).stops == ("a", "b")
