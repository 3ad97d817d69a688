"""The answers in `goldens/parse/families`: six of each family, by hand, as its models write them."""

import json
from pathlib import Path

import pytest

from actorllm.actors.runner.forms import FORMS, form_of
from actorllm.actors.runner.parse import TemplateFacts, make_parser
from actorllm.actors.runner.parse.infer import family_name
from tests.parse.cases import load, outcome, run, splits

FOLDER = Path(__file__).parents[1] / "goldens" / "parse" / "families"
LABELS = ["plain", "parallel", "nested", "unicode", "truncated", "malformed"]
FIXTURES = {file.stem: json.loads(file.read_text("utf-8")) for file in sorted(FOLDER.iterdir())}
DESK = load("inputs")["tools"]["desk"]

EVERY = pytest.mark.parametrize("family", FIXTURES)


def test_every_family_has_fixtures():
    assert set(FIXTURES) == set(FORMS)
    for name, fixture in FIXTURES.items():
        assert fixture["family"] == name
        assert [case["label"] for case in fixture["cases"]] == LABELS


@EVERY
def test_a_family_is_known_by_its_marks(family):
    marks = FIXTURES[family]["marks"]
    assert form_of(family_name(marks), marks) is FORMS[family]


@EVERY
def test_answers_of_a_family_are_read_the_same_for_every_split(family):
    fixture = FIXTURES[family]
    facts = TemplateFacts(kind="jinja", text=fixture["marks"])
    for case in fixture["cases"]:
        expect = dict(case["expect"])
        unparsed = expect.pop("unparsed", False)
        for pieces in splits(case["text"]):
            parsed = run(make_parser(template=facts, tools=DESK), pieces)
            assert (outcome(parsed), parsed.unparsed) == (expect, unparsed), case["label"]


@EVERY
def test_what_cannot_be_read_is_shown_to_its_end_and_flagged(family):
    cases = {case["label"]: case for case in FIXTURES[family]["cases"]}
    whole = cases["parallel"]["expect"]["calls"]
    assert len(whole) == 2
    for label in ("truncated", "malformed"):
        expect = cases[label]["expect"]
        assert expect["unparsed"]
        assert expect["calls"] == whole[:1]
        assert "book_table" in expect["content"]
        assert expect["content"][-12:] in cases[label]["text"]
