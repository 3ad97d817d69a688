"""JSON as Go writes and reads it."""

import json
import math
import random
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorllm.protocol.gojson import (
    MAX_DEPTH,
    Float32s,
    JsonError,
    Number,
    dumps,
    loads,
    quote,
    quote_plain,
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (14.0, "14"),
        (1e16, "10000000000000000"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (0.000001, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (1e-12, "1e-12"),
        (-0.0, "-0"),
        (123456.789, "123456.789"),
        ("<b> & 'x' \u2028\u2029 é 🙂\n\x00\x7f", r'"\u003cb\u003e \u0026 '),
        (True, "true"),
        (None, "null"),
        ((1, [2]), "[1,[2]]"),
        ({"b": 1, "a": {}}, '{"b":1,"a":{}}'),
    ],
)
def test_values_are_spelled_as_go_spells_them(value, written):
    assert dumps(value).decode().startswith(written)


def test_special_characters_are_escaped_and_others_are_not():
    assert quote('<é\u2028\x01"\\>') == '"\\u003cé\\u2028\\u0001\\"\\\\\\u003e"'


def test_lone_surrogates_are_written_as_the_replacement_character():
    assert dumps("a\ud800b") == b'"a\\ufffdb"'


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, Float32s((math.nan,)), {1, 2}])
def test_what_json_cannot_say_is_an_error(value):
    with pytest.raises(TypeError):
        dumps([value])


def test_vectors_of_float32_have_the_fewest_digits_that_round_trip():
    source = random.Random(1)
    vector = array("f", [source.gauss(0, 10.0 ** source.randrange(-12, 12)) for _ in range(2000)])
    written = dumps(Float32s(vector))
    assert array("f", json.loads(written)) == vector
    assert dumps(Float32s((0.10000000149011612, 16777216.0, 0.0))) == b"[0.1,16777216,0]"


@given(VALUES)
@settings(max_examples=100, deadline=None)
def test_what_was_written_is_read_again(value):
    assert loads(dumps(value)) == value
    assert json.loads(dumps(value)) == value


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (b"{", "unexpected EOF"),
        (b'{"a":"x', "unexpected EOF"),
        (b"[1,", "unexpected EOF"),
        (b"[1,]", "invalid character ']' looking for beginning of value"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b'{"a":[1],"b" 2}', "invalid character '2' after object key"),
        (b'{"a":{"b":[]} "c"}', "invalid character '\"' after object key:value pair"),
        (b'{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        (b"[-x]", "invalid character 'x' in numeric literal"),
        (b"[1.x]", "invalid character 'x' after decimal point in numeric literal"),
        (b"[1e+x]", "invalid character 'x' in exponent of numeric literal"),
        (b"[nul]", "invalid character ']' in literal null (expecting 'l')"),
        (b"[Infinity]", "invalid character 'I' looking for beginning of value"),
        (b"[-Infinity]", "invalid character 'I' in numeric literal"),
        (rb'["\x"]', "invalid character 'x' in string escape code"),
        (rb'["\u12g4"]', r"invalid character 'g' in \u hexadecimal character escape"),
        (b'["\n"]', r"invalid character '\n' in string literal"),
        (b"'a'", r"invalid character '\'' looking for beginning of value"),
        ("é".encode(), "invalid character 'Ã' looking for beginning of value"),
        (b"\x7f", r"invalid character '\x7f' looking for beginning of value"),
    ],
)
def test_syntax_errors_have_gos_texts(source, text):
    with pytest.raises(JsonError) as caught:
        loads(source)
    assert str(caught.value) == text


@pytest.mark.parametrize("source", [b"", b" \n\t "])
def test_nothing_is_told_apart_from_broken_json(source):
    with pytest.raises(JsonError) as caught:
        loads(source)
    assert caught.value.empty


def test_what_follows_the_first_value_is_ignored():
    assert loads(b' {"a": 1} trailing {') == {"a": 1}


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 100_000])
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_nesting_is_bounded(depth, opening):
    closing = b"]" if opening == b"[" else b"}"
    with pytest.raises(JsonError, match="exceeded max depth"):
        loads(opening * depth + b"1" + closing * depth)


def test_many_brackets_side_by_side_are_no_depth():
    assert len(loads(b"[" + b"[]," * 1000 + b"[]]")) == 1001


def test_numbers_keep_their_spelling_when_asked():
    number = loads(b'{"a": 1e2}', literals=True)["a"]
    assert isinstance(number, Number)
    assert (number, number.literal) == (100.0, "1e2")


@pytest.mark.parametrize("literal", [b"1e999", b"9" * 5000])
def test_a_number_beyond_a_float_is_an_overflow(literal):
    with pytest.raises(OverflowError):
        loads(literal)
    assert loads(literal, literals=True) == math.inf


def test_integers_beyond_64_bits_become_floats():
    assert loads(b"[18446744073709551615, 18446744073709551616]") == [2**64 - 1, 2.0**64]


def test_lone_surrogates_and_invalid_utf8_are_replaced():
    assert loads(rb'{"\ud800":"a\udfffb"}') == {"\ufffd": "a\ufffdb"}
    assert loads(rb'"\ud83d\ude42"') == "🙂"
    assert loads(b'"a\xffb"') == "a\ufffdb"


def test_texts_within_errors_are_quoted_for_people():
    assert quote_plain('a"b\\ <é>\n\x01') == '"a\\"b\\\\ <é>\\n\\x01"'
