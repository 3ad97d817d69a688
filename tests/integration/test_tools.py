"""Tools with the model that comes with the package, in all dialects: called, answered, chosen."""

import datetime as dt
import itertools

import pytest

from tests.integration.daemon import MODEL, Daemon
from tests.integration.speaking import DIALECTS, Dialect

WEATHER = {
    "name": "get_weather",
    "description": "Get the current weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
BOOK = {
    "name": "book_table",
    "parameters": {
        "type": "object",
        "properties": {"seats": {"type": "integer"}, "day": {"type": "string", "format": "date"}},
        "required": ["seats", "day"],
    },
}
QUESTION = "What is the weather in Paris?"
OPENS_THOUGHTS = """{{ if .Tools }}<|im_start|>system
# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{{ range .Tools }}{{ . }}
{{ end }}</tools>

For each function call, return a json object with function name and arguments within \
<tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call><|im_end|>
{{ end }}{{ range .Messages }}{{ if eq .Role "tool" }}<|im_start|>user
<tool_response>
{{ .Content }}
</tool_response><|im_end|>
{{ else }}<|im_start|>{{ .Role }}
{{ if .Thinking }}<think>
{{ .Thinking }}
</think>

{{ end }}{{ .Content }}{{ if .ToolCalls }}{{ range .ToolCalls }}<tool_call>
{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}
</tool_call>{{ end }}{{ end }}<|im_end|>
{{ end }}{{ end }}<|im_start|>assistant
{{ if .Think }}<think>
{{ end }}"""
"""The model's own template, but for the last tag: of itself it answers at once."""

EVERY = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.route)


@pytest.fixture(scope="module")
def thinker(shared_daemon: Daemon) -> str:
    """The model with a prompt that opens its thoughts."""
    body = {"model": "thinker", "from": MODEL, "template": OPENS_THOUGHTS, "stream": False}
    made = shared_daemon.post("/api/create", **body)
    assert made.status_code == 200, made.text
    return "thinker"


@EVERY
def test_a_tool_is_called_and_its_result_becomes_the_answer(
    daemon: Daemon, dialect: Dialect, thinker: str
):
    for stream, think in itertools.product([False, True], repeat=2):
        said = {"stream": stream, "think": think, "model": thinker if think else MODEL}
        turns = dialect.user(QUESTION)
        first = dialect.ask(daemon, turns, [WEATHER], **said)
        ((identity, name, arguments),) = first.calls
        assert identity
        assert (name, arguments) == ("get_weather", {"city": "Paris"}), said
        assert (first.content, first.reason) == ("", dialect.called), said
        assert bool(first.thinking) == think, said
        turns += dialect.results(first, "snowy, 21 degrees")
        second = dialect.ask(daemon, turns, [WEATHER], **said)
        assert second.content.startswith("The weather in Paris is 21 degrees"), said
        assert (second.calls, second.reason) == ((), dialect.ended), said
        assert bool(second.thinking) == think, said


def chosen(dialect: Dialect, what: str) -> dict:
    """Give the dialect's words for a choice: `any`, `none`, or the name of a tool."""
    if dialect.route == "/v1/messages":
        named = {"type": what} if what in ("any", "none") else {"type": "tool", "name": what}
        return {"tool_choice": named}
    function = {"type": "function", "function": {"name": what}}
    return {"tool_choice": {"any": "required", "none": "none"}.get(what, function)}


@EVERY
def test_a_choice_of_tools_is_kept_to(daemon: Daemon, dialect: Dialect, thinker: str):
    hello = dialect.user("Hello!")
    must = dialect.ask(daemon, hello, [WEATHER, BOOK], **chosen(dialect, "any"))
    assert {name for _, name, _ in must.calls} <= {"get_weather", "book_table"}
    assert (bool(must.calls), must.content) == (True, "")
    for model, think in ((MODEL, None), (thinker, True)):
        said = {"model": model, "think": think, "stream": True} | chosen(dialect, "book_table")
        named = dialect.ask(daemon, hello, [WEATHER, BOOK], **said)
        ((_, name, arguments),) = named.calls
        assert (name, list(arguments)) == ("book_table", ["seats", "day"])
        assert type(arguments["seats"]) is int
        dt.date.fromisoformat(arguments["day"])
        assert bool(named.thinking) == bool(think)
    free = dialect.ask(
        daemon, dialect.user(QUESTION), [WEATHER], think=False, **chosen(dialect, "none")
    )
    assert (free.calls, bool(free.content), free.reason) == ((), True, dialect.ended)


def test_what_a_choice_cannot_hold_is_said_and_the_rest_is_held(daemon: Daemon):
    seats = {"type": "integer", "not": {"const": 3}}
    tool = BOOK | {"parameters": {"type": "object", "properties": {"seats": seats}}}
    for dialect in DIALECTS:
        answer = dialect.ask(daemon, dialect.user("Hi"), [tool], **chosen(dialect, "any"))
        assert {name for _, name, _ in answer.calls} == {"book_table"}
        notice = answer.headers["Actorllm-Notice"]
        assert notice.startswith("arguments of 'book_table' are not held to all of their schema")


def test_the_middle_is_filled_in(daemon: Daemon):
    gap = {"model": MODEL, "prompt": "The capital of", "suffix": "is Paris.", "stream": False}
    shown = daemon.post("/api/generate", **gap, _debug_render_only=True).json()
    assert shown["_debug_info"]["rendered_template"] == (
        "<|fim_prefix|>The capital of<|fim_suffix|>is Paris.<|fim_middle|>"
    )
    few = {"options": {"temperature": 0, "num_predict": 8}}
    one = daemon.post("/api/generate", **gap, **few).json()
    other = daemon.post("/v1/completions", **gap, temperature=0, max_tokens=8).json()
    assert one["response"] == other["choices"][0]["text"]
    assert one["prompt_eval_count"] == other["usage"]["prompt_tokens"] == 10
