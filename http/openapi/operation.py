"""What a dialect tells of its routes: operations, their bodies and their answers."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import attrs

from actorllm.http.openapi.schema import Json, Notes, reference
from actorllm.http.stream import NDJSON, SSE

__all__ = [
    "BINARY",
    "JSON",
    "OCTETS",
    "TEXT",
    "WRITES",
    "Answer",
    "Dialect",
    "Operation",
    "Parameter",
    "empty",
    "events_answer",
    "head_of",
    "json_answer",
    "lines_answer",
]

JSON = "application/json"
OCTETS = "application/octet-stream"
TEXT = "text/plain"

WRITES = (409, 507)
"""Statuses of refusals of what writes to the store."""

BINARY: Json = {"type": "string", "format": "binary"}

_STREAMED = "A stream, or with `stream: false` one document"


@attrs.frozen
class Answer:
    """What comes with a status."""

    description: str
    content: Mapping[str, Json] = attrs.field(factory=dict)
    """Schemas by media type; of a stream that of each line, or event."""
    generated: bool = False
    """A model has made it, so it can carry a notice of what was degraded."""


@attrs.frozen
class Parameter:
    """A part of the path, or of the query."""

    description: str
    schema: Json
    place: str = "path"


@attrs.frozen(kw_only=True)
class Operation:
    """A method of a route."""

    method: str
    path: str
    """With `{names}` for its parameters."""
    summary: str
    description: str = ""
    body: type | None = None
    """The class that the route binds its body to."""
    example: Json | None = None
    """A body to try."""
    required: tuple[str, ...] = ()
    """Fields without which the request is refused."""
    content: Mapping[str, Json] = attrs.field(factory=dict)
    """Schemas of the body by media type, where it is no JSON."""
    parameters: Mapping[str, Parameter] = attrs.field(factory=dict)
    """By their names."""
    answers: Mapping[int, Answer]
    errors: tuple[int, ...] = ()
    """Statuses of refusals that this operation has beside those that its dialect always has."""


@attrs.frozen(kw_only=True)
class Dialect:
    """Routes that speak alike."""

    name: str
    about: str
    operations: tuple[Operation, ...]
    error: str
    """Component of a refusal."""
    data: str
    """File with notes and answers."""

    @property
    def notes(self) -> Notes:
        return Notes(_data_of(self.data)["fields"])

    @property
    def answers(self) -> Mapping[str, Json]:
        """The schemas of answers, by their names."""
        schemas: Mapping[str, Json] = _data_of(self.data)["answers"]
        return schemas


@cache
def _data_of(file: str) -> Mapping[str, Any]:
    """Read a file beside this one."""
    path = Path(__file__).with_name(file)
    made: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return made


def head_of(path: str, found: str) -> Operation:
    """Describe the HEAD beside a GET.

    Args:
        path: The route.
        found: What a 200 says.
    """
    return Operation(
        method="HEAD", path=path, summary="The same without a body", answers={200: empty(found)}
    )


def empty(description: str) -> Answer:
    """Answer with a status alone."""
    return Answer(description)


def json_answer(name: str, description: str, *, generated: bool = False) -> Answer:
    """Answer with one document."""
    return Answer(description, {JSON: reference(name)}, generated)


def lines_answer(item: str, *, generated: bool = False) -> Answer:
    """Answer with lines of JSON, or with one document."""
    line = {"anyOf": [reference(item), reference("api.Error")]}
    return Answer(_STREAMED, {JSON: reference(item), NDJSON: line}, generated)


def events_answer(whole: str, *items: str, done: bool = False) -> Answer:
    """Answer with events, or with one document.

    Args:
        whole: What the document is.
        items: What the data of events are.
        done: The last event says `[DONE]`.
    """
    kinds = [reference(name) for name in items]
    item = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    data: Json = {"type": "string", "contentMediaType": JSON, "contentSchema": item}
    if done:
        data = {"anyOf": [{"const": "[DONE]"}, data]}
    fields = {"event": {"type": "string"}, "data": data}
    event: Json = {"type": "object", "required": ["data"], "properties": fields}
    return Answer(_STREAMED, {JSON: reference(whole), SSE: event}, generated=True)
