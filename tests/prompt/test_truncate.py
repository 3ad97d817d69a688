"""A conversation that is too long loses its oldest messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.actors.runner.prompt.errors import TemplateError
from actorllm.actors.runner.prompt.rendering import render_chat
from actorllm.actors.runner.prompt.select import PromptTemplates
from actorllm.actors.runner.prompt.truncate import fit
from actorllm.protocol.chat import ChatMessage
from tests.prompt.cases import NOW

PLAIN = PromptTemplates(jinja="{% for m in messages %}{{ m.content }} {% endfor %}")
STRICT = PromptTemplates(
    jinja="{% if messages[0].role != 'user' %}{{ raise_exception('a user first') }}{% endif %}"
    "{% for m in messages %}{{ m.content }} {% endfor %}"
)


def words(text):
    return len(text.split())


def fitted(messages, num_ctx, templates=PLAIN, calls=None, **rest):
    def render(kept):
        if calls is not None:
            calls.append(len(kept))
        return render_chat(templates, kept, now=NOW)

    return fit(messages, render=render, count_tokens=words, num_ctx=num_ctx, **rest)


def talk(*lengths, role="user"):
    return [ChatMessage(role, f"m{n} " * length) for n, length in enumerate(lengths)]


def test_a_conversation_that_fits_is_left_alone():
    messages = talk(2, 3)
    found = fitted(messages, 5)
    assert found.messages == tuple(messages)
    assert (found.dropped, found.dropped_tokens, found.tokens) == ((), 0, 5)


def test_the_oldest_messages_go_first():
    messages = talk(5, 4, 3, 2)
    found = fitted(messages, 6)
    assert found.messages == tuple(messages[2:])
    assert found.dropped == tuple(messages[:2])
    assert (found.tokens, found.dropped_tokens) == (5, 9)
    assert found.rendered.text.split() == ["m2"] * 3 + ["m3"] * 2


def test_system_messages_and_the_last_message_stay():
    messages = [ChatMessage("system", "s " * 9), *talk(5, 5), *talk(9)]
    found = fitted(messages, 3)
    assert found.messages == (messages[0], messages[-1])
    assert found.tokens == 18


def test_images_cost_tokens():
    messages = [ChatMessage("user", "a", images=(b"x",)), ChatMessage("user", "b")]
    assert len(fitted(messages, 100).messages) == 1
    assert len(fitted(messages, 100, image_tokens=0).messages) == 2


def test_what_a_template_refuses_is_dropped_too():
    roles = ["user", "assistant"] * 3 + ["user"]
    messages = [ChatMessage(role, f"{role} " * 3) for role in roles]
    found = fitted(messages, 18, STRICT)
    assert found.messages[0].role == "user"
    assert found.tokens <= 18


def test_a_template_that_refuses_everything_is_an_error():
    messages = [ChatMessage("assistant", "a " * 9), ChatMessage("assistant", "b " * 9)]
    with pytest.raises(TemplateError):
        fitted(messages, 5, STRICT)


def test_a_long_conversation_is_rendered_a_dozen_times():
    calls = []
    fitted(talk(*[3] * 1000), 50, calls=calls)
    assert len(calls) <= 12


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=1, max_size=12),
    st.integers(0, 40),
)
def test_the_cut_is_the_one_that_a_search_from_the_start_finds(shapes, num_ctx):
    messages = [
        ChatMessage("system" if system else "user", f"m{n} " * length)
        for n, (system, length) in enumerate(shapes)
    ]
    kept = messages
    for cut in range(len(messages)):
        kept = [m for n, m in enumerate(messages) if n >= cut or m.role == "system"]
        if words("".join(m.content for m in kept)) <= num_ctx:
            break
    assert fitted(messages, num_ctx).messages == tuple(kept)
