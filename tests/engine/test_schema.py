"""Schemas that say nothing of further keys are closed, if that cannot empty them."""

import pytest

from actorllm.actors.runner.engine.schema import MAX_DEPTH, closed
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
