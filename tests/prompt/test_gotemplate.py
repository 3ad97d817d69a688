"""Go templates: the three modes, the values and what goes wrong."""

import pytest

from actorllm.actors.runner.prompt.errors import TemplateError
from actorllm.actors.runner.prompt.gojson import go_json, go_number, json_number
from actorllm.actors.runner.prompt.gotemplate import GoTemplate, collate
from actorllm.protocol.chat import ChatMessage
from tests.prompt.cases import NOW

TALK = [
    ChatMessage("system", "s"),
    ChatMessage("user", "u1"),
    ChatMessage("assistant", "a1"),
    ChatMessage("user", "u2"),
]


def chat(source, messages=TALK, tools=(), think=None):
    return GoTemplate(source).render_chat(messages, tools, think, NOW)


def test_a_template_with_messages_walks_over_them():
    assert chat("{{ range .Messages }}{{ .Role }}:{{ .Content }} {{ end }}") == (
        "system:s user:u1 assistant:a1 user:u2 "
    )


def test_a_legacy_template_is_run_for_each_exchange_and_cut_after_the_answer():
    source = "[{{ .System }}|{{ .Prompt }}]{{ .Response }}</s>"
    assert chat(source) == "[s|u1]a1</s>[|u2]"


def test_the_cut_reaches_into_branches():
    source = "{{ if .Prompt }}{{ .Prompt }}>{{ .Response }}</s>{{ end }} tail"
    assert chat(source, TALK[1:2]) == "u1>"


def test_an_answer_to_continue_stays_open():
    source = "{{ .Prompt }}>{{ .Response }}</s>"
    assert chat(source, TALK[1:3]) == "u1>a1"


def test_a_template_without_an_answer_gets_one_at_the_end():
    assert chat("<{{ .Prompt }}>", TALK[1:3]) == "<u1>a1"


def test_a_template_can_fill_in_the_middle():
    template = GoTemplate("{{ if .Suffix }}<P>{{ .Prompt }}<S>{{ .Suffix }}{{ end }}")
    assert template.facts.insert
    assert template.render_insert("a", "b", None, NOW) == "<P>a<S>b"


def test_neighbours_of_one_role_are_joined_but_for_results():
    system, turns = collate(
        [
            ChatMessage("system", "s1"),
            ChatMessage("user", "a"),
            ChatMessage("user", "b"),
            ChatMessage("tool", "c"),
            ChatMessage("tool", "d"),
            ChatMessage("system", "s2"),
        ]
    )
    assert system == "s1\n\ns2"
    assert [turn.content for turn in turns] == ["s1", "a\n\nb", "c", "d", "s2"]


@pytest.mark.parametrize(
    ("think", "text"),
    [(None, "false  false"), (True, "true medium true"), (False, "false  true"),
     ("low", "true low true")],
)  # fmt: skip
def test_thinking_has_three_variables(think, text):
    source = "{{ .Think }} {{ .ThinkLevel }} {{ .IsThinkSet }}{{ range .Messages }}{{ end }}"
    assert chat(source, think=think) == text


@pytest.mark.parametrize(
    "source",
    [
        "{{ if .System }}open",
        "{{ upper .Prompt }}",
        "{{ range .Messages }}{{ .Nope }}{{ end }}",
        "{{ (index .Messages 99).Role }}",
        '{{ template "nowhere" }}',
        '{{ eq 1 "a" }}{{ .Response }}',
        "{{ if .Response }}x{{ end }}",
        "{{ len 3 }}{{ .Response }}",
        "{{ .Prompt 3 }}{{ .Response }}",
    ],
)
def test_a_broken_template_is_an_error(source):
    with pytest.raises(TemplateError):
        chat(source)


def test_a_hostile_declaration_of_a_tool_is_rendered_all_the_same():
    tools = [{}, {"function": []}, {"function": {"parameters": {"properties": {"a": 1, "b": []}}}}]
    text = chat("{{ range .Messages }}{{ end }}{{ .Tools }}", tools=tools)
    assert text.count('"function"') == 3


@pytest.mark.parametrize(
    ("number", "json_text", "text"),
    [
        (1, "1", "1"),
        (-3.5, "-3.5", "-3.5"),
        (1234567, "1234567", "1.234567e+06"),
        (123456, "123456", "123456"),
        (1e21, "1e+21", "1e+21"),
        (123456789012345680000.0, "123456789012345680000", "1.2345678901234568e+20"),
        (0.1, "0.1", "0.1"),
        (0.00001, "0.00001", "1e-05"),
        (1e-7, "1e-7", "1e-07"),
        (0, "0", "0"),
        (-0.0, "-0", "-0"),
    ],
)
def test_numbers_are_written_as_in_go(number, json_text, text):
    assert (json_number(number), go_number(number)) == (json_text, text)


def test_json_is_written_as_in_go():
    value = {"b": "<&>\u2028", "a": {"d": 1.0, "c": [None, True]}, "s": "\ud800"}
    assert go_json(value) == (
        '{"b":"\\u003c\\u0026\\u003e\\u2028","a":{"c":[null,true],"d":1},"s":"\ufffd"}'
    )
    assert go_json({"b": "<", "a": 1}, sort=True, spaced=True, escape=False) == '{"a": 1, "b": "<"}'


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ .Prompt", ":1: unclosed action"),
        ("{{ end }}", ":1: unexpected {{end}}"),
        ("a\nb\n{{- if }}", ":3: missing value for if"),
        ("{{ range }}", ":1: missing value for range"),
        ("{{ nofunc .X }}", ':1: function "nofunc" not defined'),
        ("{{ $x }}", ':1: undefined variable "$x"'),
        ("{{ break }}", ":1: {{break}} outside {{range}}"),
        ("{{ template }}", ':1: unexpected "}}" in template clause'),
        ("{{ 0x }}", ':1: illegal number syntax: "0x"'),
        ("{{ | .X }}", ':1: unexpected "|" in command'),
    ],
)
def test_a_source_that_does_not_parse_is_told_in_gos_words(source, text):
    with pytest.raises(TemplateError) as caught:
        GoTemplate(source)
    assert caught.value.problem.text == f"template: {text}"
