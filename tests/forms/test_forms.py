"""Forms of calls: what models write is allowed, nothing else is, and the parsers read it."""

import json

import pytest

from actorllm.actors.runner.engine.types import Structure
from actorllm.actors.runner.forms import (
    FORMS,
    Grammar,
    Shape,
    callables,
    form_for,
    form_of,
    notices_of,
)
from actorllm.actors.runner.parse import PARSERS, TemplateFacts, make_parser
from tests.parse.cases import load, maker, run, tools_of
from tests.parse.test_families import ANSWERS, DESK
from tests.parse.test_splits import FAMILIES

TOOLS = load("inputs")["tools"]
AUTO, MUST, ONE, NONE = (
    Shape(True, True),
    Shape(False, True),
    Shape(False, True, False),
    Shape(True, False),
)
MARKS = FAMILIES | {
    "deepseek-r1": FAMILIES["deepseek"],
    "dsml-v4": FAMILIES["dsml"],
    "granite-closed": "<|/tool_call|>",
    "mistral-list": FAMILIES["mistral"],
    "tool-calls": "<tool_calls>",
}
THINKING = (
    ("<think>", "</think>"),
    ("<mm:think>", "</mm:think>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|open|>think<|sep|>", "<|close|>think<|sep|>"),
    ("<|channel>", "<channel|>"),
)
# Written as no model of the family would: other whitespace, keys or recipients, two kinds of calls.
LENIENT = {
    "cohere",
    "command-r",
    "deepseek",
    "dsml",
    "glimmer",
    "harmony",
    "mistral",
    "qwen-coder",
    "seed",
}


def structure(family, tools=DESK, shape=AUTO, *, answer=None):
    g = Grammar(answer)
    named, problems = callables(tools)
    assert not problems
    return g.structure(FORMS[family].write(g, named, shape))


def without_thoughts(text):
    for opening, closing in THINKING:
        if text.startswith(opening):
            return text.partition(closing)[2]
    return text


@pytest.mark.parametrize("family", sorted(set(ANSWERS) - LENIENT))
def test_answers_of_the_family_are_allowed(bench, family):
    text = without_thoughts(ANSWERS[family])
    assert bench.taken(structure(family), text) == (text, True)


CASES = [
    case
    for case in load("parse")
    if PARSERS[case["name"]].family
    and case["id"].split("/")[2] in {"plain", "one", "pre_one", "par", "par_nl"}
    and case.get("tools")
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_recorded_answers_are_allowed(bench, case):
    family = PARSERS[case["name"]].family
    calls = run(maker(case)(), [case["text"]]).tool_calls
    if family == "harmony" and len(calls) > 1:
        pytest.skip("a call ends the answer")
    text = without_thoughts(case["text"]).removesuffix("<|eot|>")
    taken, may_end = bench.taken(structure(family, tools_of(case)), text)
    assert (taken.strip(), may_end) == (text.strip(), True)


@pytest.mark.parametrize("family", sorted(FORMS))
@pytest.mark.parametrize("tools", ["desk", "odd", "one"])
def test_whatever_is_written_in_the_form_is_read_as_calls(bench, family, tools):
    declared = TOOLS[tools]
    schemas = {tool.name: tool.schema for tool in callables(declared)[0]}
    names = {name.replace(" ", "_") for name in schemas} | set(schemas)
    for seed in range(4):
        held = structure(family, declared, ONE if seed else MUST)
        text = bench.written(held, seed)
        facts = TemplateFacts(kind="jinja", text=MARKS[family])
        parsed = run(make_parser(template=facts, tools=declared), [text])
        assert not parsed.unparsed, text
        assert parsed.tool_calls, text
        assert not parsed.content.strip(), text
        assert {call.name for call in parsed.tool_calls} <= names, text
        assert len(parsed.tool_calls) == 1 or not seed
        for call in parsed.tool_calls:
            required = schemas.get(call.name, {}).get("required", ())
            assert set(required) <= set(call.arguments), text


JSON_FORMS = {"hermes", "llama", "deepseek", "kimi-k2", "cohere", "mistral", "nemotron", "apertus"}


@pytest.mark.parametrize("family", sorted(JSON_FORMS))
def test_json_arguments_keep_to_the_schema(bench, family):
    schemas = {tool.name: tool.schema for tool in callables(DESK)[0]}
    for seed in range(4):
        text = bench.written(structure(family, DESK, ONE), seed, words=30)
        facts = TemplateFacts(kind="jinja", text=MARKS[family])
        (call,) = run(make_parser(template=facts, tools=DESK), [text]).tool_calls
        written = json.dumps(call.arguments, ensure_ascii=False)
        schema = Structure("schema", json.dumps(schemas[call.name]))
        assert bench.taken(schema, written) == (written, True)


@pytest.mark.parametrize("family", sorted(FORMS))
def test_a_call_that_is_due_does_not_begin_with_words(bench, family):
    assert bench.taken(structure(family, DESK, MUST), "Hello there.") in {("", False), (" ", False)}


@pytest.mark.parametrize(
    ("family", "text", "taken"),
    [
        ("hermes", '<tool_call>\n{"name": "nobody', '<tool_call>\n{"name": "'),
        (
            "hermes",
            '<tool_call>{"name": "ping", "arguments": {"host": 5',
            '<tool_call>{"name": "ping", "arguments": {"host": ',
        ),
        (
            "hermes",
            '<tool_call>{"name": "ping", "arguments": {}',
            '<tool_call>{"name": "ping", "arguments": {',
        ),
        ("qwen-coder", "<tool_call>\n<function=pong>", "<tool_call>\n<function=p"),
        (
            "qwen-coder",
            "<tool_call>\n<function=ping>\n</function>",
            "<tool_call>\n<function=ping>\n<",
        ),
        ("gemma4", "<|tool_call>call:ping{host:5", "<|tool_call>call:ping{host: "),
        ("lfm2", "<|tool_call_start|>[ping(host=5", "<|tool_call_start|>[ping(host= "),
        ("glm", "<tool_call>ping</tool_call>", "<tool_call>ping"),
    ],
)
def test_calls_that_break_their_declaration_are_not_allowed(bench, family, text, taken):
    got, may_end = bench.taken(structure(family, TOOLS["one"], MUST), text)
    assert not may_end
    assert taken.startswith(got)
    assert len(taken) - len(got) < 8  # tokens may be longer than a character


@pytest.mark.parametrize("family", ["hermes", "mistral", "glm", "olmo3", "minimax-m2"])
def test_one_call_is_one_call(bench, family):
    text = without_thoughts(bench.written(structure(family, TOOLS["one"], ONE), 1))
    assert bench.taken(structure(family, TOOLS["one"], ONE), text) == (text, True)
    twice = f"{text}\n{text}" if family != "mistral" else text + text
    taken, _ = bench.taken(structure(family, TOOLS["one"], ONE), twice)
    assert len(taken) < len(twice)


@pytest.mark.parametrize("family", ["hermes", "mistral", "olmo3", "granite"])
def test_no_call_is_begun_where_none_may_be(bench, family):
    words = "Well, <b> [1] {x} and more."
    held = structure(family, DESK, NONE)
    assert bench.taken(held, words) == (words, True)
    taken, _ = bench.taken(held, f"{words}{FORMS[family].open}")
    assert FORMS[family].open not in taken


def test_words_beside_calls_keep_to_their_own_schema(bench):
    answer = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    held = structure("hermes", TOOLS["one"], answer=answer)
    call = '<tool_call>\n{"name": "ping", "arguments": {"host": "x"}}\n</tool_call>'
    for text in ('{"a": 5}', call):
        assert bench.taken(held, text) == (text, True)
    assert bench.taken(held, "Hello")[0] == ""


def test_enums_are_kept_to_in_plain_text(bench):
    held = structure("qwen-coder", DESK, MUST)
    head = "<tool_call>\n<function=get_forecast>\n<parameter=city>\nOslo\n</parameter>\n<parameter=units>\n"
    for value, good in (("metric", True), ("kelvin", False)):
        text = f"{head}{value}\n</parameter>"
        assert (bench.taken(held, text)[0] == text) == good


def test_what_a_schema_cannot_be_held_to_is_said():
    unique = {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}
    parameters = {"type": "object", "properties": {"x": unique}, "required": ["x"]}
    (tool,), problems = callables([{"function": {"name": "f", "parameters": parameters}}])
    assert tool.schema["properties"]["x"] == {"type": "array", "items": {"type": "integer"}}
    (notice,) = notices_of(problems, {"f": ["pattern of 'x'"]})
    assert "'f'" in notice
    assert "uniqueItems" in notice
    assert notice.endswith("; pattern of 'x'")


@pytest.mark.parametrize(
    "parameters",
    [{"$ref": "#/nowhere"}, {"properties": []}, "x", {"properties": {"a": {"$ref": "#/b"}}}, [1]],
)
def test_schemas_that_make_no_sense_are_loosened(bench, parameters):
    tools = [{"function": {"name": "f", "parameters": parameters}}]
    (tool,), problems = callables(tools)
    assert (tool.schema["type"], len(problems)) == ("object", 1)


def test_tools_without_parameters_are_called_without(bench):
    for parameters in (None, {}, {"type": "object"}, {"type": "object", "properties": {}}):
        g = Grammar()
        named, problems = callables([{"function": {"name": "f", "parameters": parameters}}])
        assert not problems
        held = g.structure(FORMS["llama"].write(g, named, MUST))
        text = '{"name": "f", "parameters": {}}'
        assert bench.taken(held, text) == (text, True)
        assert not bench.taken(held, '{"name": "f", "parameters": {"a": 1}}')[1]


def test_the_form_follows_the_parser_then_the_template():
    hermes, mistral = FORMS["hermes"], FORMS["mistral"]
    template = TemplateFacts(kind="jinja", text="[TOOL_CALLS] [ARGS]")
    assert form_for("", template) is mistral
    assert form_for("qwen3", template) is hermes
    assert form_for("olmo3-think", template) is form_for("passthrough", template) is None
    assert form_of("mistral", "[TOOL_CALLS]") is FORMS["mistral-list"]
    assert form_of("deepseek", "```json") is FORMS["deepseek-r1"]
    assert form_of("dsml", "'tool_calls>'") is FORMS["dsml-v4"]
    assert form_for("", TemplateFacts(kind="jinja", text="")) is hermes


@pytest.mark.parametrize(
    ("tag", "template", "text"),
    [
        (
            "<tool_call>",
            "</tool_call>",
            '<tool_call>{"name": "ping", "arguments": {"host": "x"}}</tool_call>',
        ),
        (
            "{",
            '"parameters": {{ .Function.Arguments }}',
            '{"name": "ping", "parameters": {"host": "x"}}',
        ),
        ("[TOOL_CALLS] [", "", '[TOOL_CALLS] [{"name": "ping", "arguments": {"host": "x"}}]'),
        ("[", "", '[{"name": "ping", "arguments": {"host": "x"}}]'),
    ],
)
def test_go_templates_tell_the_form_by_their_tag(bench, tag, template, text):
    form = form_for("", TemplateFacts(kind="go", text=template, tool_tag=tag))
    g = Grammar()
    held = g.structure(form.write(g, callables(TOOLS["one"])[0], MUST))
    assert bench.taken(held, text) == (text, True)
    facts = TemplateFacts(text=template, tool_tag=tag)
    (call,) = run(make_parser(template=facts, tools=TOOLS["one"]), [text]).tool_calls
    assert (call.name, call.arguments) == ("ping", {"host": "x"})
