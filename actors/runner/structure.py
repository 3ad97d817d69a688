"""`format` to a grammar that the sampler keeps to.

Schemas go through llama.cpp's converter, which drops keywords that it does not know without a
word. So a schema is checked first, and what would be dropped is refused by name.
"""

import json
from collections.abc import Iterator
from typing import Any

from actorllm.actors.runner.engine.grammar import JSON_GRAMMAR, MAX_GRAMMAR
from actorllm.protocol.errors import Refused

__all__ = ["grammar_of"]

_MAX_DEPTH = 32
_KEPT = frozenset(
    {"type", "properties", "required", "additionalProperties", "items", "prefixItems", "enum",
     "const", "anyOf", "oneOf", "$ref", "$defs", "definitions", "minItems", "maxItems",
     "minLength", "maxLength", "format"}
)  # fmt: skip
_NOTES = frozenset(
    {"title", "description", "$schema", "$id", "$comment", "default", "examples", "deprecated",
     "readOnly", "writeOnly"}
)  # fmt: skip
_FORMATS = frozenset({"date", "time", "date-time", "uuid"})


def grammar_of(wanted: Any) -> str | None:
    """Return GBNF for a request's format; None for no format.

    Args:
        wanted: None, "", "json" or a JSON Schema object.

    Raises:
        Refused: 400, naming the keyword that cannot be kept to.
    """
    if not wanted and wanted != {}:
        return None
    if wanted in ("json", {}):
        return JSON_GRAMMAR
    for keyword in _unsupported(wanted, 0):
        raise Refused.because(
            400, f"invalid JSON schema in format: keyword {keyword!r} is not supported"
        )
    from llama_cpp.llama_grammar import json_schema_to_gbnf

    try:
        grammar = json_schema_to_gbnf(json.dumps(wanted))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, AssertionError) as e:
        raise Refused.because(400, f"invalid JSON schema in format: {e}") from None
    if len(grammar) > MAX_GRAMMAR:
        raise Refused.because(400, "the JSON schema in format is too large")
    return str(grammar)


def _unsupported(schema: Any, depth: int) -> Iterator[str]:
    """Go through a schema and name what would be dropped."""
    if depth > _MAX_DEPTH:
        yield "(nested too deeply)"
        return
    if isinstance(schema, bool) or not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        if keyword not in _KEPT and keyword not in _NOTES:
            yield keyword
        elif keyword == "format" and value not in _FORMATS:
            yield f"format: {value}"
        elif keyword == "$ref" and not str(value).startswith(("#/$defs/", "#/definitions/")):
            yield f"$ref: {value}"
        elif keyword in ("properties", "$defs", "definitions") and isinstance(value, dict):
            for inner in value.values():
                yield from _unsupported(inner, depth + 1)
        elif keyword in ("items", "additionalProperties"):
            yield from _unsupported(value, depth + 1)
        elif keyword in ("anyOf", "oneOf", "prefixItems") and isinstance(value, list):
            for inner in value:
                yield from _unsupported(inner, depth + 1)
