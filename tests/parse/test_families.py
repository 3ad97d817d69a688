"""One answer of each family that is told by its template: thinking, words and two calls."""

import pytest

from actorllm.actors.runner.parse import TemplateFacts, make_parser, opens_thinking
from tests.parse.cases import load, outcome, run, splits
from tests.parse.test_splits import FAMILIES

DESK = load("inputs")["tools"]["desk"]
CALLS = [
    {"name": "get_forecast", "arguments": {"city": "Łódź", "days": 3}},
    {"name": "book_table", "arguments": {"guest": {"name": "Ida"}, "seats": 2}},
]
FIRST, SECOND = '{"city": "Łódź", "days": 3}', '{"guest": {"name": "Ida"}, "seats": 2}'
ONE = f'{{"name": "get_forecast", "arguments": {FIRST}}}'
TWO = f'{{"name": "book_table", "arguments": {SECOND}}}'
LIST = f"[{ONE}, {TWO}]"
TOOL_NAMES = LIST.replace('{"name": "get', '{"tool_name": "get').replace(
    '{"name": "book', '{"tool_name": "book'
)
INVOKED = """
<#invoke name="get_forecast">
<#parameter name="city">Łódź</#parameter>
<#parameter name="days">3</#parameter>
</#invoke>
<#invoke name="book_table">
<#parameter name="guest">{"name": "Ida"}</#parameter>
<#parameter name="seats">2</#parameter>
</#invoke>
"""
FUNCTIONS = """
<function=get_forecast>
<parameter=city>Łódź</parameter>
<parameter=days>3</parameter>
</function>
<function=book_table>
<parameter=guest>{"name": "Ida"}</parameter>
<parameter=seats>2</parameter>
</function>
"""
MARK = "]<]minimax[>["
THOUGHT = "<think>Hm.</think>"

ANSWERS = {
    "dsml": f"{THOUGHT}Words.<｜DSML｜tool_calls>{INVOKED.replace('#', '｜DSML｜')}"
    "</｜DSML｜tool_calls>",
    "deepseek": f"{THOUGHT}Words.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_forecast<｜tool▁sep｜>{FIRST}"
    f"<｜tool▁call▁end｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>book_table\n```json\n{SECOND}\n```"
    "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    "kimi-k2": f"{THOUGHT}Words.<|tool_calls_section_begin|><|tool_call_begin|>functions.get_forecast:0"
    f"<|tool_call_argument_begin|>{FIRST}<|tool_call_end|><|tool_call_begin|>functions.book_table:1"
    f"<|tool_call_argument_begin|>{SECOND}<|tool_call_end|><|tool_calls_section_end|>",
    "kimi-k3": "<|open|>think<|sep|>Hm.<|close|>think<|sep|><|open|>response<|sep|>Words."
    '<|close|>response<|sep|><|open|>tools<|sep|><|open|>call tool="get_forecast" index="1"<|sep|>'
    '<|open|>argument key="city" type="string"<|sep|>Łódź<|close|>argument<|sep|>'
    '<|open|>argument key="days" type="number"<|sep|>3<|close|>argument<|sep|><|close|>call<|sep|>'
    '<|open|>call tool="book_table" index="2"<|sep|><|open|>argument key="guest" type="object"<|sep|>'
    '{"name": "Ida"}<|close|>argument<|sep|><|open|>argument key="seats" type="number"<|sep|>2'
    "<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|><|close|>message<|sep|>",
    "minimax-m3": f"<mm:think>Hm.</mm:think>Words.{MARK}<tool_call>\n"
    f'{MARK}<invoke name="get_forecast">{MARK}<city>Łódź{MARK}</city>{MARK}<days>3{MARK}</days>'
    f'{MARK}</invoke>\n{MARK}<invoke name="book_table">{MARK}<guest>{MARK}<name>Ida{MARK}</name>'
    f"{MARK}</guest>{MARK}<seats>2{MARK}</seats>{MARK}</invoke>\n{MARK}</tool_call>",
    "minimax-m2": f"{THOUGHT}Words.\n<minimax:tool_call>{INVOKED.replace('#', '')}"
    "</minimax:tool_call>",
    "mistral": f"[THINK]Hm.[/THINK]Words.[TOOL_CALLS]get_forecast[ARGS]{FIRST}"
    f"[TOOL_CALLS]book_table[CALL_ID]abc[ARGS]{SECOND}",
    "cohere": "<|START_THINKING|>Hm.<|END_THINKING|><|START_TEXT|>Words.<|END_TEXT|>\n<|START_ACTION|>"
    f"{LIST}<|END_ACTION|>",
    "seed": f"<seed:think>Hm.</seed:think>Words.<seed:tool_call>{FUNCTIONS}</seed:tool_call>",
    "apertus": f'{THOUGHT}Words.<|tools_prefix|>[{{"get_forecast": {FIRST}}}, '
    f'{{"book_table": {SECOND}}}]<|tools_suffix|>',
    "minicpm": f'{THOUGHT}Words.<function name="get_forecast"><param name="city">Łódź</param>'
    '<param name="days">3</param></function><function name="book_table"><param name="guest">'
    '{"name": "Ida"}</param><param name="seats">2</param></function>',
    "functionary-3.1": f"{THOUGHT}Words.<function=get_forecast>{FIRST}</function>"
    f"<function=book_table>{SECOND}</function>",
    "nemotron": f"{THOUGHT}Words.<TOOLCALL>{LIST}</TOOLCALL>",
    "granite": f"{THOUGHT}Words.<|tool_call|>{LIST}",
    "functools": f"{THOUGHT}Words. functools{LIST}",
    "command-r": f"{THOUGHT}Words.\nAction: ```json\n{TOOL_NAMES}\n```",
    "glm": f"{THOUGHT}Words.\n<tool_call>get_forecast\n<arg_key>city</arg_key>\n<arg_value>Łódź</arg_value>"
    "\n<arg_key>days</arg_key><arg_value>3</arg_value></tool_call>\n<tool_call>book_table<arg_key>guest"
    '</arg_key><arg_value>{"name": "Ida"}</arg_value><arg_key>seats</arg_key><arg_value>2</arg_value>'
    "</tool_call>",
    "gemma4": '<|channel>thought\nHm.\n<channel|>Words.<|tool_call>call:get_forecast{city:<|"|>Łódź<|"|>,'
    'days:3}<tool_call|><|tool_call>call:book_table{guest:{name:<|"|>Ida<|"|>},seats:2}<tool_call|>',
    "lfm2": f"{THOUGHT}Words.<|tool_call_start|>[get_forecast(city='Łódź', days=3), "
    "book_table(guest={'name': 'Ida'}, seats=2)]<|tool_call_end|>",
    "qwen-coder": f"{THOUGHT}Words.<tool_call>{FUNCTIONS}</tool_call>",
    "harmony": "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Words."
    "<|end|><|start|>assistant<|channel|>commentary to=functions.get_forecast <|constrain|>json<|message|>"
    f"{FIRST}<|call|><|start|>assistant to=functions.book_table<|channel|>commentary json<|message|>"
    f"{SECOND}<|call|>",
    "glimmer": " to=self<|message|>Hm.<|eom|><|start|>assistant to=user<|message|>Words.<|eom|>"
    f"<|start|>assistant to=desk<|message|><atem:function_calls>{INVOKED.replace('#', 'atem:')}"
    "</atem:function_calls><|eot|>",
    "hermes": f"{THOUGHT}Words.\n<tool_call>\n{ONE}\n</tool_call>\n<tool_call>\n{TWO}\n</tool_call>",
}


def answers(family, text, *, tools=DESK, ways=6):
    facts = TemplateFacts(kind="jinja", text=FAMILIES[family])
    return [run(make_parser(template=facts, tools=tools), pieces) for pieces in splits(text)[:ways]]


@pytest.mark.parametrize("family", sorted(ANSWERS))
def test_thinking_words_and_calls_are_told_apart(family):
    results = answers(family, ANSWERS[family])
    assert all(result == results[0] for result in results)
    assert outcome(results[0]) == {"content": "Words.", "thinking": "Hm.", "calls": CALLS}
    assert not results[0].unparsed
    assert [call.index for call in results[0].tool_calls] == [0, 1]


@pytest.mark.parametrize("family", sorted(set(ANSWERS) - {"harmony", "glimmer"}))
def test_without_tools_in_the_request_calls_are_words(family):
    parsed = answers(family, ANSWERS[family], tools=[])[0]
    assert not parsed.tool_calls
    assert "get_forecast" in parsed.content


@pytest.mark.parametrize("family", sorted(ANSWERS))
def test_every_beginning_of_an_answer_makes_only_calls_of_the_whole_answer(family):
    text = ANSWERS[family]
    for end in range(0, len(text), 3):
        parsed = answers(family, text[:end], ways=1)[0]
        assert outcome(parsed).get("calls", []) == CALLS[: len(parsed.tool_calls)]


def test_llama_calls_are_bare_json_or_behind_the_python_tag():
    parsed = answers("llama", f"{ONE}; {TWO}")[0]
    assert outcome(parsed) == {"calls": CALLS}
    parsed = answers("llama", f"Words.<|python_tag|>{ONE}; {TWO}<|eom_id|>")[0]
    assert outcome(parsed) == {"content": "Words.", "calls": CALLS}
    parsed = answers("llama", '<|python_tag|>get_forecast.call(city="Łódź", days=3)')[0]
    assert outcome(parsed) == {"calls": CALLS[:1]}


def test_llama_code_goes_to_the_declared_interpreter():
    tools = [{"type": "function", "function": {"name": "code_interpreter"}}]
    parsed = answers("llama", "<|python_tag|>print(1 + 1)", tools=tools)[0]
    assert [call.arguments for call in parsed.tool_calls] == [{"code": "print(1 + 1)"}]
    assert answers("llama", "<|python_tag|>print(1 + 1)")[0].unparsed


def test_llama_json_that_calls_nothing_is_the_answer():
    for text in ('{"answer": 42}', '{"name": "Ida", "arguments": {}}', "{broken", "no { json }"):
        parsed = answers("llama", text)[0]
        assert parsed.content == text
        assert not parsed.unparsed


def test_functionary_messages_go_to_all_or_to_a_tool():
    parsed = answers(
        "functionary-3.2", f"all\nWords.>>>get_forecast\n{FIRST}>>>book_table\n{SECOND}"
    )
    assert outcome(parsed[0]) == {"content": "Words.", "calls": CALLS}
    parsed = answers("functionary-3.2", "all\n>>> 1 + 1\n2")
    assert parsed[0].content == ">>> 1 + 1\n2"


def test_a_template_without_marks_still_has_its_thinking_split_off():
    parser = make_parser(template=TemplateFacts(kind="jinja", text="{{ messages }}"))
    assert outcome(run(parser, ["<think>a</think>b"])) == {"thinking": "a", "content": "b"}


def test_the_end_of_a_prompt_tells_whether_thinking_is_open():
    qwen = TemplateFacts(kind="jinja", text="<think> <tool_call>")
    assert opens_thinking("assistant\n<think>\n", qwen)
    assert not opens_thinking("assistant\n<think>\n\n</think>\n\n", qwen)
    gemma = TemplateFacts(kind="jinja", text="<|channel> <|tool_call>")
    assert opens_thinking("<|turn>model\n<|channel>thought\n", gemma)
    assert not opens_thinking("anything", TemplateFacts())
    assert opens_thinking("…[THINK]", TemplateFacts(think_open="[THINK]", think_close="[/THINK]"))


def test_thinking_that_the_prompt_opened_is_thinking():
    facts = TemplateFacts(kind="jinja", text="[BEGIN FINAL RESPONSE] Here are my reasoning steps:")
    parser = make_parser(template=facts, starts_in_thinking=True)
    parsed = run(parser, ["So.\n[BEGIN FINAL RESPONSE]\nYes."])
    assert outcome(parsed) == {"thinking": "So.", "content": "Yes."}
