"""What a schema does not allow is never let through, byte by byte."""

import json
import re
from pathlib import Path

import pytest
from llguidance import LLMatcher, LLTokenizer

from actorllm.actors.runner.engine.grammar import LIMITS, check, grammar_of, one_line
from actorllm.actors.runner.engine.numbers import numbered
from actorllm.actors.runner.engine.types import EngineError, Structure

PAGE = Path(__file__).parents[2] / "docs/reference/structured-output.md"

BYTES = LLTokenizer("byte")
INTEGER = {"type": "integer"}
OPEN = {"type": "object", "additionalProperties": {"type": "string"}}


def lets_through(schema, text):
    matcher = LLMatcher(
        BYTES, grammar_of(Structure("schema", json.dumps(schema))), log_level=0, limits=LIMITS
    )
    data = list(text.encode())
    if matcher.validate_tokens(data) < len(data):
        return False
    matcher.consume_tokens(data)
    return matcher.is_accepting()


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        (OPEN | {"properties": {"a": INTEGER}}, '{"a":1}', r'{"\u0061":"x"}'),
        (OPEN | {"patternProperties": {"^a": INTEGER}}, '{"ab":1}', r'{"\u0061b":"x"}'),
        (OPEN | {"properties": {"🌱": INTEGER}}, '{"🌱":1}', r'{"\ud83c\udf31":"x"}'),
        (OPEN | {"properties": {"\n": INTEGER}}, r'{"\n":1}', r'{"\u000a":"x"}'),
        (OPEN, r'{"\u0061":"x"}', '{"a":1}'),
        ({"type": "number", "exclusiveMaximum": 0, "minimum": -0.98}, "-0.5", "-0"),
        ({"type": "string", "format": "time"}, '"22:59:59Z"', '"22:59:60Z"'),
        ({"type": "string", "format": "hostname"}, '"a-b.de"', '"xn--X"'),
        ({"type": "string", "format": "hostname"}, f'"{"a." * 126}a"', f'"{"a." * 127}a"'),
        (INTEGER | {"format": "int32"}, "2147483647", "2147483648"),
        (INTEGER | {"format": "uint8", "minimum": 3}, "255", "-1"),
        ({"type": ["integer", "null"], "format": "int8"}, "-128", "-129"),
        (INTEGER | {"format": "int64"}, "9007199254740993", "9223372036854775808"),
        (INTEGER | {"maximum": 2**53 + 3}, "9007199254740994", "9007199254740996"),
        (
            {"type": "number", "multipleOf": 0.1, "minimum": 0.25, "exclusiveMaximum": 0.5},
            "0.3",
            "0.5",
        ),
        (
            {"a": {"b": {"type": "string", "format": "date"}}, "$ref": "#/a/b"},
            '"2024-02-29"',
            '"2023-02-29"',
        ),
    ],
)
def test_what_is_right_may_be_written_and_what_is_wrong_may_not(schema, right, wrong):
    assert lets_through(schema, right)
    assert not lets_through(schema, wrong)


@pytest.mark.parametrize(
    "schema",
    [
        {"const": {"minimum": 2**60, "format": "int8"}},
        {"type": "number", "format": "int8"},
        {"type": "number", "minimum": "x", "exclusiveMaximum": 0},
        {"type": "number", "multipleOf": 0.1},
        {"type": "number", "multipleOf": 0.1, "minimum": 0, "maximum": 1e300},
        {"type": "number", "multipleOf": 2, "minimum": 1, "maximum": 3},
        {"type": {"integer": 1}, "format": ["int8"]},
        {"minimum": 10**400},
    ],
)
def test_numbers_of_which_nothing_else_must_be_said_stay_as_they_are(schema):
    assert numbered(schema) == schema


def test_what_breaks_the_library_is_said_in_our_words():
    assert (
        one_line("panic: assertion failed: a < b\n<backtrace>\n at /x/y.rs:5") == "it is too large"
    )
    assert one_line("Current row has 3 items\n<non-verbose/>") == "Current row has 3 items"


def said(row):
    """What a row of the reference names: in its first cell, and in the second one."""
    line = next(line for line in PAGE.read_text("utf-8").splitlines() if row in line)
    first, second = line.strip("| ").split(" | ", maxsplit=1)
    return re.findall("`([^`]+)`", first), re.findall("`([^`]+)`", second)


@pytest.mark.parametrize("keyword", said("| refused |")[0])
def test_keywords_that_the_reference_calls_refused_are_named(keyword):
    with pytest.raises(EngineError, match=re.escape(f'"{keyword}"')):
        check(Structure("schema", json.dumps({keyword: {}})))


@pytest.mark.parametrize("kind", said("of strings")[1])
def test_formats_of_the_reference_are_known(kind):
    of = "integer" if kind.startswith(("int", "uint")) else "string"
    check(Structure("schema", json.dumps({"type": of, "format": kind})))
    assert not lets_through({"type": of, "format": kind}, '"?"')
    assert not lets_through({"type": of, "format": kind}, str(10**30))
