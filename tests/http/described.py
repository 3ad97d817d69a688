"""Is an answer what the OpenAPI document says of it?"""

import json
import re
from functools import cache

import httpx
from jsonschema import Draft202012Validator

from actorllm.http.openapi.document import document
from actorllm.http.stream import NDJSON, SSE

__all__ = ["closed", "operation_of", "problems"]

_PREFIX = "#/components/"


def problems(answer: httpx.Response) -> list[str]:
    """Compare an answer with the document; what no route answers is not looked at."""
    operation = operation_of(answer.request.method, answer.request.url.path)
    if operation is None:
        return []
    place = f"{answer.request.method} {answer.request.url.path} {answer.status_code}"
    if str(answer.status_code) not in operation["responses"]:
        return [f"{place}: the status is unknown"]
    described = _resolved(operation["responses"][str(answer.status_code)])
    unknown = [
        f"{place}: {name} is missing"
        for name, header in described.get("headers", {}).items()
        if _resolved(header)["required"] and name not in answer.headers
    ]
    if not answer.content:
        return unknown
    media = answer.headers["Content-Type"].partition(";")[0]
    if media not in described.get("content", {}):
        return [*unknown, f"{place}: {media} is unknown"]
    validator = _validator(json.dumps(_of_value(described["content"][media]["schema"])))
    return unknown + [
        f"{place}: {error.json_path}: {error.message}"
        for value in _decoded(media, answer)
        for error in validator.iter_errors(value)
    ]


def operation_of(method, path):
    """Find what is said of a route; None: it is none of ours."""
    for pattern, methods in document()["paths"].items():
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(pattern)), path):
            return methods.get(method.lower())
    return None


def _resolved(part):
    if "$ref" not in part:
        return part
    kind, name = part["$ref"].removeprefix(_PREFIX).split("/")
    return document()["components"][kind][name]


def _of_value(schema):
    """Return the schema of what is in an event, or the one that there is."""
    data = schema.get("properties", {}).get("data", schema)
    return next((s for s in data.get("anyOf", ()) if "contentSchema" in s), data).get(
        "contentSchema", schema
    )


def _decoded(media, answer):
    """Return the values of an answer: one, or those of its lines or events."""
    if media == NDJSON:
        return [json.loads(line) for line in answer.text.splitlines() if line]
    if media == SSE:
        lines = [x.removeprefix("data: ") for x in answer.text.split("\n") if x[:5] == "data:"]
        return [json.loads(line) for line in lines if line != "[DONE]"]
    return [json.loads(answer.text) if media == "application/json" else answer.text]


@cache
def _validator(schema):
    whole = json.loads(schema) | {"components": closed(document()["components"])}
    return Draft202012Validator(whole)


def closed(value):
    """Allow no keys but those that are described: nothing is answered in silence."""
    if isinstance(value, list):
        return [closed(v) for v in value]
    if not isinstance(value, dict):
        return value
    made = {key: closed(v) for key, v in value.items()}
    kinds = made.get("type", ())
    is_object = kinds == "object" or (isinstance(kinds, list) and "object" in kinds)
    if is_object and "properties" in made and "additionalProperties" not in made:
        made["unevaluatedProperties"] = False
    return made
