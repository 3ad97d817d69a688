"""Limits of strings, lists and references in arguments: held in every form, or it is said."""

import re

import pytest

from actorllm.actors.runner.forms import FORMS, Grammar, callables, notices_of
from actorllm.actors.runner.forms.patterns import in_full, texts_of
from actorllm.actors.runner.parse import TemplateFacts, make_parser
from tests.forms.test_forms import MARKS, MUST, ONE
from tests.parse.cases import run

LIMITED = {
    "type": "object",
    "properties": {
        "code": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{2}$"},
        "day": {"anyOf": [{"$ref": "#/$defs/Day"}]},
        "note": {"type": "string", "minLength": 2, "maxLength": 4},
        "few": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 2},
    },
    "required": ["code", "day", "note", "few"],
    "$defs": {"Day": {"type": "string", "format": "date"}},
}


def tool(schema):
    return [{"type": "function", "function": {"name": "ping", "parameters": schema}}]


def held(family, schema, shape=MUST):
    g = Grammar()
    named, problems = callables(tool(schema))
    made = g.structure(FORMS[family].write(g, named, shape))
    return made, notices_of(problems, g.left_out)


def parameter(schema):
    return {"type": "object", "properties": {"x": schema}, "required": ["x"]}


@pytest.mark.parametrize("family", sorted(FORMS))
def test_whatever_is_written_keeps_to_the_limits(bench, family):
    structure, notices = held(family, LIMITED, ONE)
    assert not notices
    text = bench.written(structure, 1)
    facts = TemplateFacts(kind="jinja", text=MARKS[family])
    (call,) = run(make_parser(template=facts, tools=tool(LIMITED)), [text]).tool_calls
    code, day, note, few = (call.arguments[key] for key in ("code", "day", "note", "few"))
    assert re.fullmatch(r"[A-Z]{2}-[0-9]{2}", code), text
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", day), text
    assert 2 <= len(note) <= 4, text
    assert 1 <= len(few) <= 2, text
    assert all(isinstance(each, int) for each in few), text


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "string", "pattern": "b+"}, ["b", "abba", "</b>"], ["", "a"]),
        ({"type": "string", "pattern": "^a|b$"}, ["ac", "cb"], ["ca", "bc"]),
        ({"type": "string", "minLength": 2}, ["ab", "é\n"], ["a", "null", ""]),
        ({"type": "string", "maxLength": 2}, ["", "ab"], ["abc"]),
        ({"type": "string", "format": "ipv4"}, ["127.0.0.1"], ["127.0.0", "256.0.0.1"]),
        ({"type": ["string", "integer"], "pattern": "^x"}, ["x1", "5"], ["y", "5.5"]),
        ({"enum": ["a b", 5, None]}, ["a b", "5", "null"], ["a", "6"]),
    ],
)
def test_plain_text_is_held_to_its_schema(bench, schema, good, bad):
    structure, notices = held("qwen-coder", parameter(schema))
    assert not notices
    for value in (*good, *bad):
        call = (
            f"<tool_call>\n<function=ping>\n<parameter=x>\n{value}\n</parameter>\n</function>"
            "\n</tool_call>"
        )
        assert bench.taken(structure, call)[1] == (value in good), value


@pytest.mark.parametrize(
    ("family", "schema", "said"),
    [
        ("qwen-coder", parameter({"type": "string", "pattern": "^(?=a)b"}), "look-around"),
        ("qwen-coder", parameter({"type": "string", "pattern": "(^a)"}), "pattern of 'x'"),
        ("glm", parameter({"type": "string", "pattern": "^ $"}), "pattern of 'x'"),
        ("lfm2", parameter({"type": "string", "pattern": '^"$'}), "pattern of 'x'"),
        ("gemma4", parameter({"type": "array", "prefixItems": [{"type": "null"}]}), "prefixItems"),
        ("gemma4", parameter({"type": "object", "minProperties": 1}), "minProperties of 'x'"),
        ("kimi-k3", {**parameter({}), "minProperties": 2}, "minProperties"),
        ("minimax-m2", {"type": "object", "required": ["y"]}, "required"),
        ("hermes", parameter({"type": "string", "format": "iri"}), "iri"),
    ],
)
def test_what_is_not_held_is_said(bench, family, schema, said):
    structure, notices = held(family, schema)
    (notice,) = notices
    assert notice.startswith("arguments of 'ping' are not held to all of their schema: ")
    assert said in notice
    bench.written(structure, 1)


def test_few_words_are_made_of_much_that_is_not_held():
    left_out = {f"t{n}": [f"k{m}" for m in range(20)] for n in range(20)}
    notices = notices_of({"t0": "x"}, left_out)
    assert len(notices) == 9
    assert notices[-1] == "the same is true of 12 more tools"
    assert notices[0].endswith("x; k0; k1; k2; k3; k4; k5; k6; k7; and 12 more")


@pytest.mark.parametrize("family", ["gemma4", "lfm2", "minimax-m3", "qwen-coder"])
def test_schemas_that_refer_to_themselves_make_no_endless_grammar(bench, family):
    node = {
        "type": "object",
        "properties": {key: {"$ref": "#/$defs/Node"} for key in "abcd"},
    }
    structure, _ = held(family, {**parameter({"$ref": "#/$defs/Node"}), "$defs": {"Node": node}})
    assert len(structure.text) < 1_000_000
    bench.written(structure, 1)


@pytest.mark.parametrize(
    ("pattern", "made"),
    [
        ("^a$", "(?:a)"),
        ("a", "(?s:.*)(?:a)(?s:.*)"),
        (r"^(foo|bar)+?\/$", r"(?:(?:foo|bar)+\x{2f})"),
        (r"^\d[\w-]\u00e9\x41$", r"(?:[0-9][A-Za-z0-9_-]\x{e9}\x{41})"),
        ("^[a&&b]$", r"(?:[a\x{26}\x{26}b])"),
        *((bad, None) for bad in ("(", "a)", "[]", "[^", r"\b", r"(a)\1", "(?!a)", "a^")),
        (r"\ud800", None),
        ("a" * 3000, None),
    ],
)
def test_patterns_are_written_for_the_whole_text_or_not_at_all(pattern, made):
    assert in_full(pattern) == made


@pytest.mark.parametrize(
    ("format_", "good", "bad"),
    [
        ("date", ["2024-02-29", "1999-12-31"], ["2024-02-30", "2024-04-31", "24-01-01"]),
        ("time", ["12:30:00Z", "23:59:59.5+02:00"], ["24:00:00Z", "12:30"]),
        ("date-time", ["2024-02-29T12:30:00Z"], ["2024-02-29 12:30"]),
        ("duration", ["P3D", "PT1H30M", "P2W"], ["3D", "P"]),
        ("email", ["a.b@c.org"], ["a", "a@", "@c.org"]),
        ("hostname", ["a-b.example"], ["-a", "a..b"]),
        ("ipv6", ["::1", "2001:db8::1", "1:2:3:4:5:6:7:8"], ["1:2", "g::1"]),
        ("uuid", ["123e4567-e89b-12d3-a456-426614174000"], ["123e4567"]),
        ("uri", ["https://example.org/a?b=c#d", "urn:x"], ["example.org", "a b:c"]),
    ],
)
def test_formats_have_their_shape(format_, good, bad):
    texts, left_out = texts_of({"format": format_})
    assert not left_out
    (text,) = (re.sub(r"\\x\{2f\}", "/", each) for each in texts)
    for value in (*good, *bad):
        assert bool(re.fullmatch(text, value)) == (value in good), value
