"""Answers that keep to a structure, with the real seedling."""

import json

import attrs
import jsonschema
import pytest

from actorllm.actors.runner.engine.grammar import MAX_GRAMMAR, check
from actorllm.actors.runner.engine.types import EngineError, Sampling, Structure, Work
from tests.engine.schemas import NASTY, UNSUPPORTED, generated

HOT = Sampling(temperature=1.0, top_k=0, top_p=1.0)
FORMATS = jsonschema.FormatChecker(("date", "uuid", "ipv4", "ipv6"))
"""What the library can check in full; it knows times with six digits of a second only."""
HARD = [{"type": "string", "pattern": p} for p in ("e.{12}t", "t.{13}h", "s.{14}z")]
"""Each is easy, and all of them together are not."""
SCHEMAS = [*NASTY, *generated(7, 180)]


def structure_of(schema, **changes):
    return Structure("schema", json.dumps(schema), **changes)


@pytest.fixture(scope="module")
def host(make_module_host):
    return make_module_host(slots=8, threads=1)


def greedy(host, question, schema, limit=-1):
    sampling = Sampling(temperature=0, structure=structure_of(schema))
    work = Work(id=1, prompt=host.chat(question), sampling=sampling, max_tokens=limit)
    return host.run(work)[1]


def test_answers_are_valid_whatever_the_schema(host):
    assert len(SCHEMAS) >= 200
    works = [
        Work(
            id=number,
            prompt=host.chat("Give me JSON."),
            sampling=attrs.evolve(HOT, seed=number, structure=structure_of(schema)),
            max_tokens=250,
        )
        for number, schema in enumerate(SCHEMAS)
    ]
    done = host.run(*works)
    for number, (_, text, finish) in done.items():
        assert finish.reason in ("stop", "length"), (SCHEMAS[number], finish.error)
        if finish.reason == "stop":
            validator = jsonschema.Draft202012Validator(SCHEMAS[number], format_checker=FORMATS)
            validator.validate(json.loads(text))
    whole = sum(finish.reason == "stop" for _, _, finish in done.values())
    assert whole >= 0.95 * len(SCHEMAS)


@pytest.mark.parametrize(("schema", "named"), UNSUPPORTED)
def test_what_cannot_be_kept_to_is_named_in_one_line(schema, named):
    with pytest.raises(EngineError) as caught:
        check(structure_of(schema))
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "llguidance" not in str(caught.value)
    assert len(str(caught.value)) <= 300


@pytest.mark.parametrize("schema", [UNSUPPORTED[0][0], None, 5, False])
def test_a_structure_that_cannot_be_kept_to_ends_the_work_with_an_error(host, schema):
    work = Work(id=1, prompt=(5,), sampling=Sampling(structure=structure_of(schema)))
    finish = host.run(work)[1][2]
    assert finish.reason == "error"
    assert finish.error


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "minimum": -(10**300), "maximum": 10**300},
        {"type": "number", "multipleOf": 1e-300},
        {"description": "x" * MAX_GRAMMAR},
        {"type": "array", "items": {"allOf": HARD}},
    ],
)
def test_a_schema_that_would_take_too_much_is_an_error(host, schema):
    finish = host.run(
        Work(id=1, prompt=(5,), sampling=Sampling(structure=structure_of(schema)), max_tokens=50)
    )[1][2]
    assert finish.reason == "error"


def test_what_is_too_hard_for_each_token_is_refused_before_the_first_one(host):
    for schema in ({"allOf": HARD}, {"type": "array", "minItems": 1, "items": {"allOf": HARD}}):
        with pytest.raises(EngineError, match="too many expressions"):
            host.engine.compile(structure_of(schema))
    with pytest.raises(EngineError, match="no answer can begin"):
        host.engine.compile(structure_of({"$ref": "#"}))


def test_an_object_may_have_thousands_of_keys_that_may_be_left_out(host):
    schema = {"type": "object", "properties": {f"k{i}": {"const": i} for i in range(3000)}}
    _, text, finish = greedy(host, "Give me JSON.", schema, 40)
    assert finish.reason in ("stop", "length"), finish.error
    assert text.startswith("{")


def test_a_schema_nests_no_deeper_than_is_sensible():
    text = '{"items": ' * 100 + "{}" + "}" * 100
    with pytest.raises(EngineError, match="nest deeper"):
        check(Structure("schema", text))
    with pytest.raises(EngineError):
        check(Structure("schema", "[" * 100_000))


@pytest.mark.parametrize(
    ("question", "schema", "limit", "answer", "generated"),
    [
        (
            "Write a JSON object.",
            {"type": "object"},
            30,
            (
                '{" is Quinn, water and oxygen. It is Quinnk because ofWater is made of hydrogen and'
                " oxygen; its formula is H2O"
            ),
            30,
        ),
        (
            "What is the capital of Japan? JSON.",
            {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]},
            40,
            '{"ok": false\n\n                    }',
            22,
        ),
        ("x", {"type": "string", "enum": ["yes"]}, -1, '"yes"', 5),
        (
            "Is the sky blue?",
            {
                "type": "object",
                "properties": {"answer": {"type": "string", "enum": ["yes"]}},
                "required": ["answer"],
            },
            -1,
            '{"answer": "yes"}',
            12,
        ),
        (
            "Is the sky blue?",
            {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]},
            -1,
            '{"ok": false\n                    }',
            19,
        ),
    ],
)
def test_greedy_structured_answers_are_those_of_the_reference(
    host, question, schema, limit, answer, generated
):
    _, text, finish = greedy(host, question, schema, limit)
    assert (text, finish.generated_tokens) == (answer, generated)


def test_a_work_resumes_within_its_structure(host):
    work = Work(
        id=1,
        prompt=host.chat("Give me JSON."),
        sampling=attrs.evolve(HOT, seed=3, structure=structure_of(SCHEMAS[-1])),
        deterministic=True,
        max_tokens=60,
    )
    tokens, text, _ = host.run(work)[1]
    for cut in (1, len(tokens) // 2, len(tokens) - 1):
        resumed, rest, _ = host.run(attrs.evolve(work, resume=tokens[:cut]))[1]
        assert resumed == tokens[cut:]
        assert text.endswith(rest)


def test_tokens_to_be_resumed_must_keep_to_the_structure(host):
    resume = tuple(host.engine.tokenize("abc", add_special=False, parse_special=False))
    sampling = Sampling(structure=Structure("gbnf", 'root ::= "x"'))
    finish = host.run(Work(id=1, prompt=(5, 6), resume=resume, sampling=sampling))[1][2]
    assert finish.reason == "error"
    assert "do not keep to the structure" in finish.error


def test_gbnf_is_kept_to(host):
    structure = Structure("gbnf", 'root ::= ("a" | "b") "c"')
    for seed in range(5):
        sampling = attrs.evolve(HOT, seed=seed, structure=structure)
        assert host.run(Work(id=1, prompt=(5,), sampling=sampling))[1][1] in ("ac", "bc")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("root ::= (", "expected ')'"),
        ("root ::= foo", "no rule 'foo'"),
        ("", "no rule 'root'"),
        ("(" * 5000, "expected a name"),
        ("root ::= root", "no answer can begin"),
    ],
)
def test_malformed_gbnf_ends_the_work_with_an_error(host, text, fault):
    work = Work(id=1, prompt=(5, 6), sampling=Sampling(structure=Structure("gbnf", text)))
    finish = host.run(work)[1][2]
    assert finish.reason == "error"
    assert fault in finish.error
