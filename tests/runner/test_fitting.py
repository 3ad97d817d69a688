"""What is dropped from prompts that are too long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.actors.runner.fitting import TOO_LONG, Fitted, fit_chat, fit_tokens
from actorllm.actors.runner.prompt.rendering import Rendered
from actorllm.actors.runner.prompt.select import PromptTemplates, choose
from actorllm.actors.runner.prompt.tags import NO_TAGS
from actorllm.protocol.chat import ChatMessage
from actorllm.protocol.errors import Refused

CHOICE = choose(PromptTemplates())
MESSAGES = st.lists(
    st.builds(
        ChatMessage,
        st.sampled_from(["system", "user", "assistant"]),
        st.text("abc", max_size=10),
    ),
    min_size=1,
    max_size=12,
)


def render(messages):
    text = "".join(f"{m.role[0]}{m.content};" for m in messages)
    return Rendered(text, CHOICE, (), NO_TAGS, False, "", False)


def tokenize(made):
    return tuple(made.text.encode())


def fit(messages, window):
    return fit_chat(messages, render, tokenize, window)[0]


def dialogue(*texts):
    return [ChatMessage(*text.split(":")) for text in texts]


def test_the_oldest_messages_go_until_the_rest_fits():
    messages = dialogue("system:S", "user:11111", "assistant:22222", "user:3")
    assert fit(messages, 100).text == "sS;u11111;a22222;u3;"
    cut = fit(messages, 14)
    assert cut.text == "sS;a22222;u3;"
    assert (cut.dropped_messages, cut.dropped_tokens) == (1, 7)
    assert cut.notices == (
        "the context is too small: 1 messages were dropped",
        "the context is too small: 7 tokens were dropped",
    )


def test_system_and_last_message_stay_even_if_they_do_not_fit():
    cut = fit(dialogue("user:1", "system:SSSSS", "assistant:2", "user:33333"), 4)
    assert cut.text == "sSSSSS;u33333;"
    assert cut.dropped_messages == 2


@given(MESSAGES, st.integers(4, 120))
def test_a_prompt_that_messages_were_dropped_for_is_not_cut_as_well(messages, window):
    cut = fit(messages, window)
    whole = fit_tokens(cut, window, 0, shift=True, truncate=True)
    last = [m for m in messages[:-1] if m.role == "system"] + messages[-1:]
    assert whole is cut or len(tokenize(render(last))) >= window


def test_without_a_window_nothing_is_dropped():
    assert fit(dialogue("user:1", "user:2"), None).notices == ()


@given(MESSAGES, st.integers(1, 120))
def test_no_more_is_dropped_than_must_be(messages, window):
    cut = fit(messages, window)
    kept = [
        [m for n, m in enumerate(messages) if n >= drop or m.role == "system"]
        for drop in range(len(messages))
    ]
    fitting = [k for k in kept if len(tokenize(render(k))) < window]
    best = fitting[0] if fitting else kept[-1]
    assert cut.text == render(best).text
    assert cut.dropped_messages == len(messages) - len(best)


def long(count):
    return Fitted("", tuple(range(count)))


@given(st.integers(1, 500), st.integers(2, 300), st.integers(-3, 400))
def test_a_cut_prompt_fits_and_keeps_its_beginning_and_its_end(count, window, keep):
    cut = fit_tokens(long(count), window, keep, shift=True, truncate=True)
    if count < window:
        assert cut == long(count)
        return
    assert len(cut.tokens) < window or window == 2
    assert cut.tokens[-1] == count - 1
    head = min(keep, window // 4) if keep >= 0 else window // 4
    assert cut.tokens[:head] == tuple(range(head))
    assert cut.dropped_tokens == count - len(cut.tokens)


def test_who_does_not_want_it_cut_is_told_the_size():
    with pytest.raises(Refused) as refused:
        fit_tokens(long(20), 10, 4, shift=True, truncate=False)
    assert refused.value.problem.status == 400
    assert refused.value.problem.text == (
        "request (20 tokens) exceeds the available context size (10 tokens), "
        "try increasing it (n_prompt: 20, n_ctx: 10)"
    )


def test_where_the_context_may_not_shift_a_long_prompt_is_refused():
    with pytest.raises(Refused) as refused:
        fit_tokens(long(20), 10, 4, shift=False, truncate=True)
    assert (refused.value.problem.status, refused.value.problem.text) == (400, TOO_LONG)
