"""Schemas of parameters as clients declare them, pydantic's among them."""

import pytest

from actorllm.actors.runner.parse.calls import Toolbox
from actorllm.actors.runner.parse.schemas import alternatives, options_of, types_of

UNITS = {"type": "string", "enum": ["metric", "imperial"]}
SPOT = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
DEFINED = {"$defs": {"Units": UNITS, "Spot": SPOT, "Loop": {"$ref": "#/$defs/Loop"}}}


def kinds(schema):
    return types_of({**DEFINED, **schema})


def test_types_are_collected_from_lists_unions_and_references():
    assert kinds({}) == ()
    assert kinds({"type": ["integer", "null", 5]}) == ("integer", "null")
    assert kinds({"anyOf": [{"type": "string"}, {"type": "integer"}, "odd"]}) == (
        "string",
        "integer",
    )
    assert kinds({"$ref": "#/$defs/Spot", "description": "Where."}) == ("object",)
    assert kinds({"allOf": [{"$ref": "#/$defs/Units"}], "default": "metric"}) == ("string",)
    assert kinds({"anyOf": [{"$ref": "#/$defs/Spot"}, {"type": "null"}]}) == ("object", "null")
    assert kinds({"enum": [1, "a", None]}) == ("integer", "string", "null")


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/Loop"},
        {"$ref": "#/$defs/nowhere"},
        {"$ref": "elsewhere"},
        {"$ref": 5},
        {"type": "string", "anyOf": [{"type": "integer"}]},
        {"allOf": [{"type": "string"}, {"pattern": "a"}]},
        {"anyOf": [{}], "oneOf": [{}]},
    ],
)
def test_what_cannot_be_taken_apart_stays_whole(schema):
    (only,) = alternatives({**DEFINED, **schema})
    assert schema.items() <= only.items()


def test_a_union_that_grows_without_end_stays_whole():
    wide = {"anyOf": [{"type": "string"}] * 100}
    deep = {"anyOf": [wide] * 100}
    assert alternatives(deep) == [deep]


def test_listed_values_are_options():
    assert options_of({"enum": [1, 2]}) == [1, 2]
    assert options_of({"const": None}) == [None]
    assert options_of({"enum": []}) is options_of({"enum": 5}) is options_of({}) is None


def test_a_parameter_is_found_behind_references():
    whole = {**DEFINED, "$ref": "#/$defs/Spot"}
    tools = Toolbox([{"function": {"name": "f", "parameters": whole}}])
    assert types_of(tools.schema("f", "x") or {}) == ("integer",)
    assert tools.schema("f", "y") is None
