"""Schemas that say nothing of further keys are closed, if that cannot empty them."""

import re
from datetime import date, timedelta

import pytest

from actorllm.actors.runner.engine.dates import DATE, DATE_TIME
from actorllm.actors.runner.engine.patterns import formatted
from actorllm.actors.runner.engine.schema import MAX_DEPTH, closed, counted
from actorllm.actors.runner.engine.types import EngineError

NAMED = {"type": "object", "properties": {"a": {}}, "required": ["a"]}
CLOSED = NAMED | {"additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (NAMED, CLOSED),
        ({"items": NAMED}, {"items": CLOSED}),
        ({"prefixItems": [NAMED, True]}, {"prefixItems": [CLOSED, True]}),
        ({"anyOf": [NAMED, {}]}, {"anyOf": [CLOSED, {}]}),
        ({"$defs": {"n": NAMED}, "$ref": "#/$defs/n"}, {"$defs": {"n": CLOSED}, "$ref": "#/$defs/n"}),
        ({"allOf": [NAMED]}, {"allOf": [CLOSED]}),
        ({"properties": {"properties": NAMED}},
         {"properties": {"properties": CLOSED}, "additionalProperties": False}),
    ],
)  # fmt: skip
def test_objects_that_name_their_keys_are_closed(schema, expected):
    assert closed(schema) == expected


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "required": ["a"]},
        NAMED | {"required": ["a", "b"]},
        NAMED | {"additionalProperties": {"type": "string"}},
        NAMED | {"patternProperties": {"^x": {}}},
        NAMED | {"minProperties": 2},
        {"allOf": [NAMED, {"properties": {"b": {}}}]},
        NAMED | {"anyOf": [{"required": ["b"]}]},
        NAMED | {"$ref": "#/$defs/n", "$defs": {"n": NAMED}},
        {"enum": [NAMED]},
        True,
        None,
        [NAMED],
        {"properties": 5, "required": 5, "allOf": 5, "items": 5},
    ],
)
def test_others_stay_as_they_are(schema):
    assert closed(schema) == schema


def test_depth_is_bounded():
    schema = NAMED
    for _ in range(MAX_DEPTH + 1):
        schema = {"items": schema}
    with pytest.raises(EngineError, match="nest deeper"):
        closed(schema)


def test_a_date_is_a_day_that_there_is_and_each_of_them_is_one():
    days = {str(date(1996, 1, 1) + timedelta(n)) for n in range(6000)}
    for year in ("0000", "1900", "1996", "2000", "2001", "2004", "9999"):
        for month in range(14):
            for day in range(33):
                text = f"{year}-{month:02}-{day:02}"
                assert bool(re.fullmatch(DATE, text)) == is_day(text), text
    assert all(re.fullmatch(DATE, day) for day in days)
    assert all(re.fullmatch(DATE, f"{year:04}-12-31") for year in range(1, 10_000))
    assert re.fullmatch(DATE_TIME, "2024-02-29T23:59:59.5+01:00")
    assert not re.fullmatch(DATE_TIME, "2023-02-29T23:59:59Z")


def is_day(text):
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def test_dates_are_written_as_patterns_beside_the_one_that_there_is():
    day = {"type": "string", "format": "date"}
    made = formatted({"properties": {"a": day | {"title": "x"}, "b": {"items": day}}})
    pattern = {"type": "string", "pattern": f"^{DATE}$"}
    assert made == {"properties": {"a": pattern | {"title": "x"}, "b": {"items": pattern}}}
    assert formatted({"type": ["string", "null"], "format": "date"})["pattern"] == f"^{DATE}$"
    both = {"pattern": "^2", "allOf": [{"minLength": 1}]}
    assert formatted(both | {"format": "date"}) == {
        "pattern": "^2",
        "allOf": [{"minLength": 1}, {"pattern": f"^{DATE}$"}],
    }
    for same in ({"format": "uuid"}, {"format": ["date"]}, {"enum": [day]}, True):
        assert formatted({"items": same}) == {"items": same}


def test_a_key_that_may_repeat_is_not_counted_on():
    for counts in ({"minProperties": 1}, {"minProperties": 3, "required": ["a", "b"]}):
        counted({"items": counts})
    for counts in ({"minProperties": 2}, {"minProperties": 3, "required": ["a", "a"]}):
        with pytest.raises(EngineError, match="minProperties"):
            counted({"items": counts})
