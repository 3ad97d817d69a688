"""Which template makes a prompt."""

import pytest

from actorllm.actors.runner.prompt.select import PromptTemplates, choose

PLAIN = "{{ messages }}"
TOOLS = "{{ tools }}{{ tool_calls }}{% if role == 'tool' %}{% endif %}"
THINKS = "<think></think>" + TOOLS
GO = "{{ range .Messages }}{{ .Content }}{{ end }}"
GO_TOOLS = "{{ .Tools }}{{ range .Messages }}{{ .ToolCalls }}{{ end }}"
GO_ROUND = GO_TOOLS + '{{ range .Messages }}{{ if eq .Role "tool" }}{{ end }}{{ end }}'
GO_INSERT = GO + "{{ .Suffix }}"


@pytest.mark.parametrize(
    ("templates", "prefer_go", "kind"),
    [
        ({}, None, "none"),
        ({"jinja": PLAIN}, None, "jinja"),
        ({"go": GO}, None, "go"),
        ({"jinja": PLAIN}, True, "jinja"),
        ({"go": GO}, False, "go"),
        ({"jinja": THINKS, "go": GO, "renderer": "qwen3.5"}, False, "renderer"),
        ({"jinja": PLAIN, "go": GO}, None, "go"),
        ({"jinja": THINKS, "go": GO}, None, "jinja"),
        ({"jinja": THINKS, "go": GO}, True, "go"),
        ({"jinja": PLAIN, "go": GO_TOOLS}, None, "go"),
        ({"jinja": PLAIN, "go": GO_TOOLS}, False, "jinja"),
        ({"jinja": TOOLS, "go": GO_TOOLS}, None, "jinja"),
        ({"jinja": TOOLS, "go": GO_ROUND}, None, "go"),
        ({"jinja": "<think></think>{{ tools }}", "go": GO_ROUND}, None, "go"),
        ({"jinja": THINKS, "go": GO_INSERT}, None, "go"),
        ({"jinja": THINKS, "go": GO, "parser": "qwen3"}, None, "go"),
        ({"jinja": THINKS, "parser": "qwen3"}, None, "jinja"),
    ],
)
def test_the_template_that_can_do_more_is_chosen(templates, prefer_go, kind):
    choice = choose(PromptTemplates(**templates), prefer_go=prefer_go)
    assert choice.kind == kind
    assert choice.reason


@pytest.mark.parametrize("family", ["gptoss", "gpt-oss"])
def test_gpt_oss_speaks_harmony(family):
    text = "<|start|>{{ range .Messages }}{{ .Content }}{{ end }}<|end|>"
    assert choose(PromptTemplates(go=text, jinja=THINKS, family=family)).harmony
    assert choose(PromptTemplates(go=text, jinja=THINKS, family=family)).kind == "go"
    assert choose(PromptTemplates(jinja=f"{THINKS}<|start|><|end|>", family=family)).harmony
    assert not choose(PromptTemplates(go=text, family="llama")).harmony
