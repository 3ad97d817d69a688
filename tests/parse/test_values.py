import json

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.actors.runner.parse.calls import (
    BadCall,
    Toolbox,
    as_arguments,
    call_of_object,
    load_json,
)
from actorllm.actors.runner.parse.coerce import coerce
from actorllm.actors.runner.parse.literals import LiteralReader, Quoting
from actorllm.protocol.chat import ToolCall

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_values)
def test_json_values_survive(value):
    assert load_json(json.dumps(value)) == value


@pytest.mark.parametrize(
    "text", ["NaN", "-Infinity", "1e999", "{", "", "[" * 100_000, "[" * 65 + "]" * 65, "1" * 9_999]
)
def test_what_cannot_travel_is_no_call(text):
    with pytest.raises(BadCall):
        load_json(text)


@pytest.mark.parametrize("text", ['"\\ud800"', "12345678901234567890123", '{"\\udfff": 1}', "1e30"])
def test_what_is_read_fits_into_a_frame(text):
    value = load_json(text)
    assert msgpack.unpackb(msgpack.packb(value)) == value


def test_arguments_may_be_an_object_text_or_nothing():
    assert as_arguments({"a": 1}) == as_arguments('{"a": 1}') == {"a": 1}
    assert as_arguments(None) == as_arguments("  ") == {}
    for value in ([], 5, "[]", "words"):
        with pytest.raises(BadCall):
            as_arguments(value)


def test_calls_are_read_from_their_dialects():
    expected = ToolCall("f", {"a": 1})
    for value in (
        {"name": "f", "arguments": {"a": 1}},
        {"name": "f", "parameters": {"a": 1}},
        {"tool_name": "f", "parameters": {"a": 1}, "tool_call_id": "0"},
        {"type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
        {"function": "f", "args": {"a": 1}},
    ):
        assert call_of_object(value) == expected
    for value in ([], {}, {"name": ""}, {"name": 5, "arguments": {}}, "f"):
        with pytest.raises(BadCall):
            call_of_object(value)


def test_hostile_declarations_declare_nothing():
    tools = Toolbox([{}, {"function": 5}, {"function": {"name": 5}}, {"function": {"name": "f"}}])
    assert tools.names == ("f",)
    assert tools.schema("f", "a") is None
    odd = Toolbox([{"function": {"name": "f", "parameters": {"properties": {"a": "string"}}}}])
    assert odd.schema("f", "a") is None


@pytest.mark.parametrize(
    ("text", "types", "value"),
    [
        ("5", (), "5"),
        ("5", ("integer",), 5),
        ("5.0", ("integer",), "5.0"),
        (" 5 ", ("integer",), " 5 "),
        ("5.5", ("integer", "number"), 5.5),
        ("1e999", ("number",), "1e999"),
        ("9" * 30, ("integer",), "9" * 30),
        ("TRUE", ("boolean",), True),
        ("yes", ("boolean",), False),
        ("yes", ("boolean", "string"), "yes"),
        ("Null", ("string",), None),
        ("[1]", ("array",), [1]),
        ("[1]", ("object",), "[1]"),
        ('{"a": 1}', ("object", "string"), {"a": 1}),
        ("{a}", ("object",), "{a}"),
        ("42", ("string", "integer"), 42),
    ],
)
def test_text_is_read_as_the_declared_type_where_it_fits(text, types, value):
    result = coerce(text, {"type": list(types)} if types else None)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'it\\'s'", "it's"),
        ('"a\\n\\u00e9\\x41\\q"', "a\néAq"),
        ("'\\ud800'", "\ufffd"),
        ("'\\ud83d\\ude42'", "🙂"),
        ("[1, -2.5, 1e3, .5, 007]", [1, -2.5, 1000.0, 0.5, 7]),
        ("{'a': True, \"b\": null, c: [None]}", {"a": True, "b": None, "c": [None]}),
        ("bare words", "bare words"),
        ("[a, b,]", ["a", "b"]),
    ],
)
def test_python_and_json_literals_are_read(text, value):
    reader = LiteralReader(text)
    assert reader.value() == value
    assert reader.at_end()


@pytest.mark.parametrize("text", ["", "'open", '"open\\"', "[1", "{a}", "{1: 2}", "[" * 70, ")"])
def test_broken_literals_are_no_values(text):
    with pytest.raises(BadCall):
        LiteralReader(text).value()


def test_marked_strings_hold_anything_but_their_mark():
    reader = LiteralReader("{k:<|>}{\"'\\n<|>,n:1}", quoting=Quoting("<|>"))
    assert reader.value() == {"k": "}{\"'\\n", "n": 1}
