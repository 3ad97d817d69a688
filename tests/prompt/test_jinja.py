"""Jinja templates render as transformers renders them; what they want is recognised."""

import pytest

from actorllm.actors.runner.prompt.errors import TemplateError
from actorllm.actors.runner.prompt.jinja import JinjaTemplate
from actorllm.actors.runner.prompt.jinja_chat import Habits, habits_of, jinja_variables
from actorllm.actors.runner.prompt.jinja_facts import jinja_facts
from actorllm.protocol.chat import ChatMessage, ToolCall
from tests.prompt.cases import NOW

CALL = ToolCall("f", {"b": 1, "a": "x"}, "id1")


def rendered(source, **variables):
    return JinjaTemplate(source).render(variables, NOW)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{% if true %}\n  a\n{% endif %}\n", "  a\n"),
        ("  {% set x = 1 %}\n{{ x }}", "1"),
        ("{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "01"),
        ("{% for i in [1,2,3] %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% endfor %}", "13"),
        ("a{% generation %}b{% endgeneration %}c", "abc"),
        ("{{ strftime_now('%d %b %Y') }}", "07 Mar 2031"),
        ("{{ {'b': '<é>', 'a': [1, none]} | tojson }}", '{"b": "<é>", "a": [1, null]}'),
        ("{{ {'a': 1} | tojson(indent=2) }}", '{\n  "a": 1\n}'),
        ("{{ {'a': 1} | tojson(separators=(',', ':')) }}", '{"a":1}'),
        ("{{ [1, 2] | map('string') | tojson }}", '["1", "2"]'),
        ("{{ '<b>' | safe + '<i>' }}", "<b><i>"),
        ("{{ '%s-%02d' % ('a', 3) }} {{ '{}/{x}'.format(1, x=2) }}", "a-03 1/2"),
        ("{{ 'a' + nothing }}{{ nothing }}", "a"),
        ("{% set l = [] %}{% set _ = l.append('x') %}{{ l.pop(0) }}", "x"),
        ("{% for x in 'ab' %}{{ loop.index }}/{{ loop.length }}{{ x }}{% endfor %}", "1/2a2/2b"),
        ("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m('a') }}", "<a>"),
        ("{{ ['b', 'a'] | sort | join(',') }} {{ 'a-b'.split('-')[1:] | first }}", "a,b b"),
        (("{% set ns = namespace(x=0) %}{% for i in [1, 2] %}{% set ns.x = ns.x + i %}{% endfor %}"
         "{{ ns.x }}"), "3"),
        ("{{ none }} {{ true }} {{ 1.5 | round | int }}", "None True 2"),
    ],
)  # fmt: skip
def test_a_template_renders_as_in_transformers(source, text):
    assert rendered(source) == text


def test_a_template_that_refuses_a_conversation_blames_the_request():
    with pytest.raises(TemplateError) as caught:
        rendered("{{ raise_exception('roles must\nalternate') }}")
    assert caught.value.problem.status == 400
    assert "roles must alternate" in caught.value.problem.text


@pytest.mark.parametrize("source", ["{% if %}", "{{ x | nofilter }}"])
def test_a_broken_template_blames_the_model(source):
    with pytest.raises(TemplateError) as caught:
        rendered(source, messages=[])
    assert caught.value.problem.status == 500


@pytest.mark.parametrize("source", ["{{ messages[0].x.y }}", "{{ 1 / 0 }}"])
def test_a_template_that_fails_with_a_conversation_says_so_in_one_line(source):
    with pytest.raises(TemplateError) as caught:
        rendered(source, messages=[])
    assert caught.value.problem.status == 400
    assert "change them, or give the model another template" in caught.value.problem.text


def variables(messages, think=None, habits=Habits(), tools=()):  # noqa: B008 -- frozen
    return jinja_variables(messages, tools, think, now=NOW, habits=habits, bos="<s>", eos="</s>")


def test_a_conversation_is_given_in_the_form_of_openai():
    message = ChatMessage("assistant", "c", thinking="t", tool_calls=(CALL,))
    result = ChatMessage("tool", "r", tool_name="f", tool_call_id="id1")
    seen = variables([message, result], think=True, tools=[{"type": "function"}])
    assert seen["messages"] == [
        {
            "role": "assistant",
            "content": "c",
            "reasoning_content": "t",
            "tool_calls": [
                {
                    "id": "id1",
                    "type": "function",
                    "function": {"name": "f", "arguments": {"b": 1, "a": "x"}},
                }
            ],
        },
        {"role": "tool", "content": "r", "name": "f", "tool_call_id": "id1"},
    ]
    assert seen["tools"] == [{"type": "function"}]
    assert (seen["bos_token"], seen["eos_token"]) == ("<s>", "</s>")


@pytest.mark.parametrize(
    ("think", "expected"),
    [
        (None, (True, None, None)),
        (True, (True, True, None)),
        (False, (False, False, None)),
        ("low", (True, True, "low")),
    ],
)
def test_thinking_is_told_under_all_its_names(think, expected):
    seen = variables([], think)
    found = (seen["enable_thinking"], seen.get("thinking"), seen.get("reasoning_effort"))
    assert found == expected


def test_without_tools_the_variable_is_not_defined():
    assert "tools" not in variables([])


def test_past_thoughts_go_where_the_template_looks_for_them():
    message = ChatMessage("assistant", "c", thinking="t")
    key = variables([message], habits=habits_of("{{ message.thinking }}"))["messages"][0]
    blocks = variables(
        [message], habits=habits_of("{% if block['type'] == 'thinking' %}{% endif %}")
    )
    assert key["thinking"] == "t"
    assert blocks["messages"][0]["content"] == [
        {"type": "thinking", "thinking": "t"},
        {"type": "text", "text": "c"},
    ]


def test_nothing_is_lost_where_calls_exclude_content():
    source = "{{ raise_exception('Cannot pass both content and thinking') }}{{ message.thinking }}"
    message = ChatMessage("assistant", "c", thinking="t", tool_calls=(CALL,))
    seen = variables([message], habits=habits_of(source))["messages"][0]
    assert (seen["content"], seen["thinking"]) == ("", "t\n\nc")


@pytest.mark.parametrize(
    ("printed", "as_text"),
    [
        ("{{ c.function.arguments | tojson }}", False),
        ("{{ 'args: ' + c.function.arguments }}", True),
        ("{{ c.function.arguments }}", True),
    ],
)
def test_arguments_are_text_where_the_template_needs_text(printed, as_text):
    source = f"{{% for m in messages %}}{{% for c in m.tool_calls %}}{printed}{{% endfor %}}{{% endfor %}}"
    assert habits_of(source).text_arguments is as_text


def test_facts_of_a_template_are_read_from_its_text():
    source = (
        "{{ tools }}{% if m.tool_calls %}{% endif %}{% if m.role == 'tool' %}{% endif %}"
        "<think>{{ m.reasoning_content }}</think>"
    )
    facts = jinja_facts(source)
    assert (facts.tools, facts.thinking, facts.tool_round_trip) == (True, True, True)
    assert (facts.tags.open, facts.tags.close) == ("<think>", "</think>")


def test_a_template_that_only_removes_thoughts_has_a_thinking_model():
    assert jinja_facts("{{ content.split('</think>')[-1] }}").thinking
    assert not jinja_facts("{{ content }}").thinking
