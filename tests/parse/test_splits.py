"""Properties that hold for all texts and all ways to cut them."""

import json
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorllm.actors.runner.parse import PARSERS, TemplateFacts, make_parser
from tests.parse.cases import load, maker, run

CASES = [case for kind in ("parse", "toolparse", "thinkparse") for case in load(kind)]
JINJA = [case for case in load("jinjaparse") if not case.get("partial")]
DESK = load("inputs")["tools"]["desk"]

# Marks that a Jinja template of each inferred family would hold.
FAMILIES = {
    "dsml": "｜DSML｜",
    "deepseek": "<｜tool▁call▁begin｜>",
    "kimi-k2": "<|tool_call_argument_begin|>",
    "kimi-k3": "<|open|> <|sep|>",
    "minimax-m3": "]<]minimax[>[",
    "minimax-m2": "<minimax:tool_call>",
    "mistral": "[TOOL_CALLS]",
    "cohere": "<|START_ACTION|>",
    "seed": "<seed:tool_call>",
    "apertus": "<|tools_prefix|>",
    "minicpm": '<function name="',
    "functionary-3.1": "<function=",
    "functionary-3.2": ">>> recipient",
    "nemotron": "<TOOLCALL>",
    "granite": "<|tool_call|>",
    "functools": " functools[",
    "command-r": "tool_name ```json",
    "llama": "<|python_tag|><|eot_id|>",
    "glm": "<arg_key>",
    "gemma4": "<|channel> <|tool_call>",
    "functiongemma": "<start_function_call>",
    "lfm2": "<|tool_call_start|>",
    "olmo3": "<function_calls>",
    "qwen-coder": "<tool_call> <function=",
    "harmony": "<|channel|> <|message|>",
    "glimmer": "<atem:",
    "hermes": "<tool_call>",
}


def jinja_facts(family):
    return TemplateFacts(kind="jinja", text=FAMILIES[family])


def makers():
    for name in PARSERS:
        for think in (None, True, False):
            yield partial(make_parser, name, tools=DESK, think=think)
    for family in FAMILIES:
        for inside in (False, True):
            facts = jinja_facts(family)
            yield partial(make_parser, template=facts, tools=DESK, starts_in_thinking=inside)
    for tag in ("{", "[", "<tool_call>", "[TOOL_CALLS] ["):
        facts = TemplateFacts(think_open="<think>", think_close="</think>", tool_tag=tag)
        yield partial(make_parser, template=facts, tools=DESK)


MAKERS = list(makers())

FRAGMENTS = [
    *sorted({tag for info in PARSERS.values() for tag in info.preserved}),
    *("<think>", "</think>", "<", "</", "|>", "[", "{", "}", "]", '"', "'", "\\", "(", ")", "="),
    *(
        " ",
        "\n",
        "\t",
        "é漢🙂",
        "word",
        "name",
        "get_forecast",
        "city",
        "null",
        "3",
        ",",
        ":",
        ">>>",
    ),
    *('{"name": "get_forecast", "arguments": {"city": "A"}}', '{"city": "A"}', "call:f{a:1}"),
    *("f(a=1)", "<function=f>", "<parameter=a>", "</parameter>", "</function>", "to=self"),
    *("<|start|>assistant", "<|channel|>final", "<|channel|>analysis", " to=functions.f", "```"),
    *("<｜DSML｜tool_calls>", "<minimax:tool_call>", "<|tool_call_begin|>", "<seed:think>"),
]

text_of_tags = st.lists(st.sampled_from(FRAGMENTS), max_size=24).map("".join)


def cut(text, places):
    edges = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[start:end] for start, end in pairwise(edges)]


places = st.lists(st.integers(0, 4000), max_size=12)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.sampled_from(CASES), places)
def test_recorded_answers_are_read_the_same_however_they_are_split(case, where):
    make = maker(case)
    assert run(make(), cut(case["text"], where)) == run(make(), [case["text"]])


@settings(max_examples=400, derandomize=True, deadline=None)
@given(st.sampled_from(MAKERS), text_of_tags, places)
def test_any_text_is_read_the_same_however_it_is_split(make, text, where):
    whole = run(make(), [text])
    assert run(make(), cut(text, where)) == whole
    assert run(make(), list(text)) == whole


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.sampled_from(MAKERS), st.sampled_from(JINJA), places)
def test_answers_in_a_foreign_format_are_read_the_same_however_they_are_split(make, case, where):
    assert run(make(), cut(case["output"], where)) == run(make(), [case["output"]])


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    st.sampled_from(MAKERS),
    st.text(alphabet="abc 123.,;:!?é漢\n", max_size=200),
)
def test_words_without_tags_come_out_as_they_are(make, text):
    parsed = run(make(), [text])
    assert (parsed.content + parsed.thinking).strip() == text.strip()
    assert not parsed.tool_calls
    assert not parsed.unparsed


# Headers of channels are not content, and some parsers leave out thinking that nobody asked for.
LOSSLESS = [
    make
    for make in MAKERS
    if make.args[:1] not in {("harmony",), ("glimmer",), ("gemma4-no-thinking",)}
    and not (make.args and make.args[0] in {"gemma4", "laguna", "poolside-v1"})
    and make.keywords.get("template") not in [jinja_facts(name) for name in ("harmony", "glimmer")]
]


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.sampled_from(LOSSLESS), st.lists(st.sampled_from(FRAGMENTS), max_size=24))
def test_no_word_is_ever_lost(make, fragments):
    words = [f"w{index}w" for index in range(len(fragments))]
    text = "".join(word + fragment for word, fragment in zip(words, fragments, strict=True))
    parsed = run(make(), [text])
    calls = json.dumps([[call.name, call.arguments] for call in parsed.tool_calls])
    shown = parsed.content + parsed.thinking + calls
    assert [word for word in words if word not in shown] == []


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_empty_pieces_change_nothing(family):
    parser = make_parser(template=jinja_facts(family), tools=DESK)
    assert run(parser, ["", "a", "", "b", ""]).content == "ab"
