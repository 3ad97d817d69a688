"""Work and memory per character, counted and not timed."""

import pytest

from actorllm.actors.runner.parse import PARSERS, TemplateFacts, make_parser
from actorllm.actors.runner.parse import scan as scanning
from actorllm.actors.runner.parse.calls import MAX_CALL
from actorllm.actors.runner.parse.channels import MAX_HEADER
from tests.parse.cases import load, run

DESK = load("inputs")["tools"]["desk"]
LONGEST_TAG = 32
"""Characters that may be held back, and may be looked at again for each that arrives."""

CALLS = {
    "qwen3": ('<tool_call>{"name": "f", "arguments": {"a": "', '"}}</tool_call>'),
    "qwen3-coder": ("<tool_call><function=f><parameter=a>", "</parameter></function></tool_call>"),
    "ministral": ('[TOOL_CALLS]f[ARGS]{"a": "', '"}'),
    "glm-4.7": ("<tool_call>f<arg_key>a</arg_key><arg_value>", "</arg_value></tool_call>"),
    "gemma4": ('<|tool_call>call:f{a:<|"|>', '<|"|>}<tool_call|>'),
    "lfm2": ("<|tool_call_start|>[f(a='", "')]<|tool_call_end|>"),
    "olmo3": ('<function_calls>f(a="', '")</function_calls>'),
    "harmony": ('<|channel|>commentary to=functions.f<|message|>{"a": "', '"}<|call|>'),
    "deepseek3": ('<｜tool▁call▁begin｜>f<｜tool▁sep｜>{"a": "', '"}<｜tool▁call▁end｜>'),
    "cohere": ('<|START_ACTION|>[{"tool_name": "f", "parameters": {"a": "', '"}}]<|END_ACTION|>'),
}


@pytest.fixture
def looked_at(monkeypatch):
    """Count the characters that the scanner looks at."""
    seen = [0]
    find, held_from, push = (
        scanning.Tags.find,
        scanning.Tags.held_from,
        scanning.Scanner.push,
    )
    json_find = scanning.JsonEnd.find

    def counting_find(self, text, start):
        match = find(self, text, start)
        seen[0] += (match.end() if match else len(text)) - start
        return match

    def counting_held(self, text, start):
        seen[0] += min(len(text) - start, self.reach) ** 2
        return held_from(self, text, start)

    def counting_push(self, text):
        push(self, text)
        seen[0] += len(self._text)

    def counting_json(self, text, start):
        end = json_find(self, text, start)
        seen[0] += (len(text) if end < 0 else end) - start
        return end

    monkeypatch.setattr(scanning.Tags, "find", counting_find)
    monkeypatch.setattr(scanning.Tags, "held_from", counting_held)
    monkeypatch.setattr(scanning.Scanner, "push", counting_push)
    monkeypatch.setattr(scanning.JsonEnd, "find", counting_json)
    return seen


def parser_for(name):
    return make_parser(name, tools=DESK, think=False)


def worst_texts(name, size):
    """Give texts that are nearly tags, nearly calls, only spaces, or only words."""
    opening, closing = CALLS.get(name, ("<tool_call>", "</tool_call>"))
    for unit in ("<", "word ", " ", opening[:-1], opening, f"{opening}x{closing}", "{[<|"):
        yield (unit * (size // len(unit) + 1))[:size]


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_work_grows_with_the_length_of_the_answer_only(name, looked_at):
    for text in worst_texts(name, 500):
        looked_at[0] = 0
        run(parser_for(name), text)
        single = looked_at[0]
        assert single <= 4 * LONGEST_TAG * LONGEST_TAG * len(text)
        looked_at[0] = 0
        run(parser_for(name), text * 4)
        assert looked_at[0] <= 8 * single, (name, text[:40])


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_one_large_piece_is_read_once(name, looked_at):
    for text in worst_texts(name, 30_000):
        looked_at[0] = 0
        run(parser_for(name), [text])
        assert looked_at[0] <= 8 * len(text) + 50_000, (name, text[:40], looked_at[0])


@pytest.mark.parametrize("name", sorted(set(PARSERS) - {"harmony", "glimmer"}))
def test_words_come_out_at_once(name):
    parser = parser_for(name)
    words = "words < and [ more | "
    said = 0
    for count in range(1, 200):
        step = parser.feed(words)
        said += len(step.content) + len(step.thinking)
        assert count * len(words) - said <= LONGEST_TAG + 1


def test_words_without_a_header_come_out_when_they_are_too_long_for_one():
    parser = parser_for("harmony")
    said = sum(len(parser.feed("words ").content) for _ in range(MAX_HEADER))
    assert said >= 6 * MAX_HEADER - LONGEST_TAG


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_call_of_any_length_below_the_bound_is_read(name):
    opening, closing = CALLS[name]
    value = "long value " * 5_000 + "end"
    parsed = run(parser_for(name), [opening + value + closing])
    assert [call.arguments for call in parsed.tool_calls] == [{"a": value}]


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_call_beyond_the_bound_is_text(name):
    opening, closing = CALLS[name]
    text = opening + "x" * (MAX_CALL + 10) + closing + "end"
    parser = parser_for(name)
    first = parser.feed(text[: MAX_CALL + 1_000])
    assert len(first.content) > MAX_CALL - 1_000
    rest = run(parser, [text[MAX_CALL + 1_000 :]])
    assert not rest.tool_calls
    assert first.unparsed
    assert run(parser_for(name), [text]).content == first.content + rest.content


@pytest.mark.parametrize("name", sorted(CALLS))
def test_deep_nesting_and_long_repetitions_are_refused_in_time(name):
    opening, closing = CALLS[name]
    for body in (
        "[" * 50_000,
        "{" * 50_000,
        " " * 50_000,
        '\\"' * 50_000,
        "''" * 50_000,
        "`" * 9_999,
    ):
        parsed = run(parser_for(name), [opening + body + closing])
        assert parsed.content or parsed.tool_calls


def test_bare_json_is_held_no_longer_than_the_bound():
    facts = TemplateFacts(tool_tag="{")
    parser = make_parser(template=facts, tools=DESK)
    assert parser.feed('{"a": "' + "x" * MAX_CALL).content
