"""JSON Schemas to test structured output with: nasty ones by hand, others from a seed."""

import random
from typing import Any

__all__ = ["NASTY", "UNSUPPORTED", "generated"]

Schema = dict[str, Any]

_LETTER = {"type": "string", "maxLength": 3}
_ROW = {"type": "array", "items": {"type": "boolean"}, "maxItems": 3}

NASTY: tuple[Schema, ...] = (
    {"type": "null"},
    {"type": "boolean"},
    {"const": {"a": [1, None, '"\\\n\u2028é🌱']}},
    {"const": -0.5},
    {"enum": ["", " ", "\t", "</think>", "<tool_call>", "<|im_end|>", 0, -1, 1.5, None, [], {}]},
    {"enum": ["yes"], "type": "string"},
    {"type": ["integer", "null"], "minimum": -3, "maximum": 3},
    {"type": "integer", "minimum": 999, "maximum": 1001},
    {"type": "integer", "exclusiveMinimum": -2, "exclusiveMaximum": 0},
    {"type": "integer", "multipleOf": 7, "minimum": 50, "maximum": 99},
    {"type": "number", "minimum": 0.25, "maximum": 0.75},
    {"type": "number", "multipleOf": 0.25, "minimum": 1, "maximum": 2},
    {"type": "string", "minLength": 3, "maxLength": 3},
    {"type": "string", "maxLength": 0},
    {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"},
    {"type": "string", "pattern": "ab", "maxLength": 6},
    {"type": "string", "pattern": "^(é|ü|🌱){2}$"},
    {"type": "string", "pattern": '^"\\\\$'},
    *(
        {"type": "string", "format": kind}
        for kind in ("date", "time", "date-time", "uuid", "ipv4", "ipv6")
    ),
    {"type": "array", "maxItems": 0},
    {"type": "array", "items": {"const": 1}, "minItems": 4, "maxItems": 4},
    {"type": "array", "prefixItems": [{"type": "boolean"}, {"type": "null"}], "items": False,
     "minItems": 2},
    {"type": "array", "prefixItems": [{"const": "x"}], "items": {"type": "null"}, "minItems": 1,
     "maxItems": 4},
    {"type": "object", "additionalProperties": False},
    {"type": "object", "properties": {}},
    {"type": "object", "properties": {"a": {"type": "null"}}},
    {"type": "object", "properties": {'é"\\ \n': {"type": "null"}}, "required": ['é"\\ \n']},
    {"type": "object", "properties": {"b": {"const": 1}, "a": {"const": 2}}, "required": ["a"]},
    {"type": "object", "properties": {"a": {"const": 1}}, "required": ["b", "a"],
     "additionalProperties": {"type": "boolean"}, "maxProperties": 2, "minProperties": 2},
    {"type": "object", "patternProperties": {"^k[0-9]$": {"type": "null"}},
     "additionalProperties": False, "required": ["k1"], "maxProperties": 1},
    {"type": "object", "properties": {"properties": {"const": 1}, "type": {"const": "x"},
     "required": {"const": []}}, "required": ["type", "properties", "required"]},
    {"anyOf": [{"type": "boolean"}, {"type": "array", "maxItems": 0}]},
    {"anyOf": [{"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]},
               {"type": "object", "properties": {"b": {"const": 2}}, "required": ["b"]}]},
    {"oneOf": [{"type": "integer", "minimum": 0, "maximum": 9}, {"type": "boolean"}]},
    {"oneOf": [
        {"type": "object", "properties": {"kind": {"const": "cat"}, "lives": {"enum": [7, 9]}},
         "required": ["kind", "lives"]},
        {"type": "object", "properties": {"kind": {"const": "dog"}}, "required": ["kind"]}]},
    {"allOf": [{"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]},
               {"type": "object", "properties": {"b": {"const": 2}}, "required": ["b"]}],
     "maxProperties": 2},
    {"allOf": [{"type": "integer", "minimum": 3}, {"maximum": 5}]},
    {"$defs": {"word": _LETTER}, "type": "object", "properties": {"w": {"$ref": "#/$defs/word"}},
     "required": ["w"]},
    {"definitions": {"row": _ROW}, "$ref": "#/definitions/row"},
    {"$defs": {"node": {"type": "object", "properties": {"next": {"anyOf": [
        {"$ref": "#/$defs/node"}, {"type": "null"}]}}, "required": ["next"]}},
     "$ref": "#/$defs/node"},
    {"type": "object", "properties": {"child": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
     "required": ["child"]},
    {"title": "T", "description": "d", "$schema": "https://json-schema.org/draft/2020-12/schema",
     "$comment": "c", "default": 1, "examples": [2], "deprecated": True, "type": "boolean"},
    {"x-guidance": {"lenient": True, "whitespace_pattern": "x+"}, "type": "object",
     "properties": {"a": {"type": "boolean"}}, "required": ["a"]},
    {"type": "object", "properties": {"\n": {"type": "boolean"}, "🌱": {"type": "null"}},
     "additionalProperties": {"const": "x"}, "required": ["🌱"]},
    {"type": "number", "multipleOf": 0.25, "minimum": 0.3, "maximum": 0.6},
    {"type": "number", "minimum": -0.98, "exclusiveMaximum": 0},
    {"type": "integer", "format": "int64", "minimum": 9007199254740993},
    {"components": {"X": {"type": "string", "format": "date"}}, "$ref": "#/components/X"},
    {"type": "string", "format": "hostname", "maxLength": 12},
)  # fmt: skip

UNSUPPORTED: tuple[tuple[Schema, str], ...] = (
    ({"not": {"type": "string"}}, '"not"'),
    ({"type": "array", "uniqueItems": True}, '"uniqueItems"'),
    ({"type": "object", "properties": {"a": {"if": {}, "then": {}}}}, '"if", "then"'),
    ({"propertyNames": {"pattern": "^a"}}, '"propertyNames"'),
    ({"contains": {"const": 1}}, '"contains"'),
    ({"dependentRequired": {"a": ["b"]}}, '"dependentRequired"'),
    ({"unevaluatedProperties": False}, '"unevaluatedProperties"'),
    ({"x-guidance": {"lenient": True}, "not": {}}, '"not"'),
    ({"type": "string", "format": "password"}, "format: password"),
    ({"type": "string", "pattern": "^(?=a)b"}, "look-around"),
    ({"type": "nonsense"}, "Invalid type: nonsense"),
    ({"type": "integer", "minimum": 5, "maximum": 3}, "minimum (5) is greater"),
    ({"allOf": [{"type": "string"}, {"type": "number"}]}, "Unsatisfiable"),
    ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "oneOf"),
    ({"oneOf": [{"type": "object", "properties": {"a": {"type": "null"}}, "required": ["a"]},
                {"type": "object", "properties": {"b": {"type": "null"}}}]}, "oneOf"),
    ({"type": "object", "additionalProperties": {"type": "null"}, "minProperties": 2},
     "minProperties"),
    ({"$ref": "http://127.0.0.1/x"}, "http://127.0.0.1/x"),
    ({"$ref": "file:///etc/passwd"}, "file:///etc/passwd"),
    ({"required": True}, "required"),
    ({"const": 9007199254740993}, "const: 9007199254740993 has more digits"),
    ({"enum": [{"id": [1234567890123456789]}]}, "enum: 1234567890123456789"),
    ({"const": 123456789.12345679}, "const: 123456789.12345679"),
    ({"type": "integer", "multipleOf": 9999991}, "multipleOf"),
    ({"allOf": [{"multipleOf": 9973}, {"multipleOf": 99.67}], "type": "number"}, "multipleOf"),
    ({"patternProperties": {f"^{n}x": {} for n in range(300)}}, "patternProperties"),
    ({"$defs": {"t": {"patternProperties": {f"^{n}x": {} for n in range(60)}}},
      "anyOf": [{"$ref": "#/$defs/t", "minProperties": 1}] * 200}, "patternProperties"),
    ({"type": "string", "pattern": "^[[a]]$"}, "pattern: [ in a class"),
    ({"patternProperties": {"^[a-z&&[^b]]": {}}}, "patternProperties: & in a class"),
    ({"$ref": "#/a", "a": {"minProperties": 5, "additionalProperties": True}}, "minProperties"),
)  # fmt: skip


def generated(seed: int, count: int) -> list[Schema]:
    """Invent small schemas over all supported keywords."""
    chance = random.Random(seed)
    return [_schema(chance, 2) for _ in range(count)]


def _schema(chance: random.Random, depth: int) -> Schema:
    leaves = (_integer, _number, _string, _choice, _format)
    branches = (_array, _tuple, _object, _any)
    if depth == 2:
        return chance.choice((*branches, _object, _object, _reference))(chance, depth)
    return chance.choice(leaves + branches * (depth > 0))(chance, depth)


def _integer(chance: random.Random, _depth: int) -> Schema:
    low = chance.randrange(-500, 500)
    made: Schema = {"type": "integer", "minimum": low, "maximum": low + chance.randrange(20, 900)}
    if chance.random() < 0.3:
        made["multipleOf"] = chance.randrange(2, 20)
    return made


def _number(chance: random.Random, _depth: int) -> Schema:
    low = chance.randrange(-50, 50) / 4
    return {"type": "number", "exclusiveMinimum": low, "exclusiveMaximum": low + 2.5,
            "multipleOf": chance.choice((0.5, 0.25, 1))}  # fmt: skip


def _string(chance: random.Random, _depth: int) -> Schema:
    if chance.random() < 0.4:
        least = chance.randrange(4)
        return {"type": "string", "minLength": least, "maxLength": least + chance.randrange(5)}
    patterns = ("^a+b?$", "^[a-f0-9]{4}$", "^(yes|no|maybe)$", r"^\d{1,3}(\.\d)?$", "^[^a-z]{2}$")
    return {"type": "string", "pattern": chance.choice(patterns), "maxLength": 12}


def _choice(chance: random.Random, _depth: int) -> Schema:
    values: list[Any] = ["red", "green\n", True, None, 0, -7, 2.5, [1], {"a": "b"}]
    if chance.random() < 0.3:
        return {"const": chance.choice(values)}
    return {"enum": chance.sample(values, chance.randrange(1, 5))}


def _format(chance: random.Random, _depth: int) -> Schema:
    return {"type": "string", "format": chance.choice(("date", "ipv4", "uuid"))}


def _array(chance: random.Random, depth: int) -> Schema:
    least = chance.randrange(3)
    return {"type": "array", "items": _schema(chance, depth - 1), "minItems": least,
            "maxItems": least + chance.randrange(2)}  # fmt: skip


def _tuple(chance: random.Random, depth: int) -> Schema:
    items = [_schema(chance, depth - 1) for _ in range(chance.randrange(1, 4))]
    return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}


def _object(chance: random.Random, depth: int) -> Schema:
    names = chance.sample(("name", "age", "a b", "ok", "ß", 'q"', "items", "$id"), 3)
    made: Schema = {
        "type": "object",
        "properties": {name: _schema(chance, depth - 1) for name in names},
        "required": chance.sample(names, chance.randrange(len(names) + 1)),
    }
    if chance.random() < 0.3:
        made["additionalProperties"] = False
    return made


def _any(chance: random.Random, depth: int) -> Schema:
    return {"anyOf": [_schema(chance, depth - 1) for _ in range(chance.randrange(1, 4))]}


def _reference(chance: random.Random, depth: int) -> Schema:
    key = chance.choice(("$defs", "definitions"))
    thing = _schema(chance, depth - 1)
    return {
        key: {"thing": thing},
        "type": "object",
        "properties": {name: {"$ref": f"#/{key}/thing"} for name in ("one", "two")},
        "required": ["one"],
    }
