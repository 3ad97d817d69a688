import pytest

from actorllm.actors.runner.parse import PARSERS, Parsed, TemplateFacts, make_parser
from actorllm.protocol.chat import ChatMessage, ToolCall
from actorllm.protocol.errors import Refused
from tests.parse.cases import load, outcome, run

DESK = load("inputs")["tools"]["desk"]
CALL = '{"name": "get_forecast", "arguments": {"city": "A"}}'
READ = {"name": "get_forecast", "arguments": {"city": "A"}}


def test_an_unknown_parser_is_refused():
    with pytest.raises(Refused) as refused:
        make_parser("no-such\nparser")
    assert refused.value.problem.status == 400
    assert "\n" not in refused.value.problem.text


def test_a_declared_parser_decides_alone():
    facts = TemplateFacts(kind="jinja", text="[TOOL_CALLS]")
    parsed = run(make_parser("passthrough", template=facts, tools=DESK), ["<think>[TOOL_CALLS]"])
    assert parsed == Parsed(content="<think>[TOOL_CALLS]")


def test_without_any_facts_text_is_content():
    assert run(make_parser(), ["<think>a</think>"]) == Parsed(content="<think>a</think>")


def test_thinking_that_nothing_could_close_is_content():
    parser = make_parser(template=TemplateFacts(), starts_in_thinking=True)
    assert run(parser, ["words"]) == Parsed(content="words")


def test_a_template_may_have_thinking_and_bare_calls():
    facts = TemplateFacts(think_open="<think>", think_close="</think>", tool_tag="{")
    parsed = run(make_parser(template=facts, tools=DESK), [f"<think>a</think>\n{CALL}"])
    assert outcome(parsed) == {"thinking": "a", "calls": [READ]}


def test_a_tag_is_closed_by_its_counterpart_if_the_template_has_it():
    closed = TemplateFacts(tool_tag="<call>", text="<call>x</call>")
    parsed = run(make_parser(template=closed, tools=DESK), [f"<call>{CALL}</call> words"])
    assert outcome(parsed) == {"content": " words", "calls": [READ]}
    alone = TemplateFacts(tool_tag="<call>", text="<call>x")
    parsed = run(make_parser(template=alone, tools=DESK), [f"<call>{CALL} words"])
    assert outcome(parsed) == {"content": " words", "calls": [READ]}


def test_a_go_template_with_marks_around_each_call_is_read_call_by_call():
    marks = "<｜tool▁calls▁begin｜>{}<｜tool▁calls▁end｜>"
    arguments = '```json\n{"city": "A"}\n```'
    call = (
        f"<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_forecast\n{arguments}<｜tool▁call▁end｜>"
    )
    facts = TemplateFacts(tool_tag="<｜tool▁calls▁begin｜>", text=marks.format(call))
    parsed = run(make_parser(template=facts, tools=DESK), [marks.format(f"{call}\n{call}")])
    assert outcome(parsed) == {"calls": [READ, READ]}


def test_closing_tags_with_a_bar_are_found():
    text = "<|tool_call|>[{}]<|/tool_call|>"
    facts = TemplateFacts(tool_tag="<|tool_call|>[", text=text.format(""))
    parsed = run(make_parser(template=facts, tools=DESK), [text.format(f"{CALL}, {CALL}") + "end"])
    assert outcome(parsed) == {"content": "end", "calls": [READ, READ]}


def test_closing_tags_inside_json_strings_are_text():
    call = '{"name": "get_forecast", "arguments": {"city": "</tool_call>"}}'
    parsed = run(make_parser("qwen3", tools=DESK), [f"<tool_call>{call}</tool_call>end"])
    assert parsed.tool_calls == (ToolCall("get_forecast", {"city": "</tool_call>"}),)
    assert parsed.content == "end"


def test_calls_come_as_soon_as_they_are_complete():
    parser = make_parser("qwen3", tools=DESK)
    step = parser.feed(f"On it.\n<tool_call>{CALL}</tool_call>\n<tool_call>")
    assert outcome(step) == {"content": "On it.", "calls": [READ]}
    step = parser.feed(f"{CALL}</tool_call>")
    assert [call.index for call in step.tool_calls] == [1]
    assert not parser.finish()


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_a_prefilled_answer_goes_on_without_a_failure(name):
    last = ChatMessage("assistant", "One,", thinking="Count.")
    for think in (None, True, False, "high"):
        parsed = run(make_parser(name, think=think, last_message=last), [" two."])
        assert (parsed.content + parsed.thinking).strip() == "two."


def test_harmony_gives_tools_back_their_own_names():
    tools = load("inputs")["tools"]["names"]
    text = "<|channel|>commentary to=functions.{}<|message|>{{}}<|call|>"
    for written, name in (("list_items", "list items"), ("_2fast", "2fast"), ("get", "get")):
        parsed = run(make_parser("harmony", tools=tools), [text.format(written)])
        assert parsed.tool_calls == (ToolCall(name, {}),)
