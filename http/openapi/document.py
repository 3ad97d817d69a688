"""The OpenAPI 3.1 document of all routes.

operation.py   what a dialect tells of a route
ollama.py, openai.py, anthropic.py, insight.py   the operations, and beside each what JSON says best
schema.py      bodies: from what binds them to JSON Schema
page.py        the document for people
routes.py      `/openapi.json` and `/docs`
"""

from functools import cache

from actorllm.http.errors import NOTICE
from actorllm.http.openapi.anthropic import ANTHROPIC
from actorllm.http.openapi.insight import INSIGHT
from actorllm.http.openapi.ollama import OLLAMA
from actorllm.http.openapi.openai import OPENAI
from actorllm.http.openapi.operation import JSON, TEXT, Answer, Dialect, Operation
from actorllm.http.openapi.schema import (
    OPTIONS,
    Components,
    Json,
    options_schema,
    or_null,
    reference,
)
from actorllm.http.wire.binding import Struct, struct_of
from actorllm.protocol.version import package_version

__all__ = ["DIALECTS", "document"]

DIALECTS: tuple[Dialect, ...] = (OLLAMA, OPENAI, ANTHROPIC, INSIGHT)

_ABOUT = """A local server for large language models, compatible with Ollama, OpenAI and Anthropic.

Bodies are JSON, whatever their `Content-Type` says. Unknown keys are ignored, null is the same as
not given. No key is asked for. A stream's schema here is that of each of its lines, or events."""

_REFUSALS = {
    400: "The request makes no sense, or the model cannot do it",
    401: "Nobody is signed in",
    403: "It is not allowed: a foreign `Host` or `Origin`, or a model on another machine",
    404: "There is no such model, blob or route",
    408: "The rest of the body did not come",
    409: "What it needs was changed or removed meanwhile; try again",
    413: "The body, or a text in it, is too large",
    415: "The body has another `Content-Encoding` than zstd, gzip or deflate",
    500: "The model failed, or an option has a wrong type",
    501: "The model cannot do it",
    503: "Too many wait, or a part is being restarted; `Retry-After` says for how many seconds",
    507: "The disk is full",
}
_PLAIN = "api.Error"
_ALWAYS = (403, 500, 503)
_WITH_A_BODY = (400, 404, 408, 413)

_REQUEST_ID = "X-Request-Id"
_RETRY_AFTER = "Retry-After"


def _header(description: str, kind: str = "string", *, required: bool = False) -> Json:
    return {"description": description, "required": required, "schema": {"type": kind}}


_HEADERS: Json = {
    _REQUEST_ID: _header("The request's id in the log", required=True),
    NOTICE: _header("What was degraded, dropped or ignored, as far as it is known"),
    _RETRY_AFTER: _header("Seconds to wait before another try", "integer"),
}


@cache
def document() -> Json:
    """Describe all routes; whoever asks gets the same object."""
    schemas: dict[str, Json] = {OPTIONS: options_schema()}
    paths: dict[str, Json] = {}
    for dialect in DIALECTS:
        components = Components(schemas, dialect.notes)
        schemas.update(dialect.answers)
        for operation in dialect.operations:
            described = _described(dialect, operation, components)
            paths.setdefault(operation.path, {})[operation.method.lower()] = described
    refusals = {f"{d.name}{status}": _refusal(d, status) for d in DIALECTS for status in _REFUSALS}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "actorllm",
            "version": package_version(),
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{}],
        "tags": [{"name": d.name, "description": d.about} for d in DIALECTS],
        "paths": paths,
        "components": {"schemas": schemas, "responses": refusals, "headers": _HEADERS},
    }


def _described(dialect: Dialect, operation: Operation, components: Components) -> Json:
    made: Json = {
        "operationId": _identifier(operation),
        "tags": [dialect.name],
        "summary": operation.summary,
    }
    if operation.description:
        made["description"] = operation.description
    if operation.parameters:
        made["parameters"] = [
            {
                "name": name,
                "in": part.place,
                "required": part.place == "path",
                "description": part.description,
                "schema": part.schema,
            }
            for name, part in operation.parameters.items()
        ]
    content = _content(operation, components)
    if content:
        made["requestBody"] = {"required": True, "content": content}
    made["responses"] = _responses(dialect, operation)
    return made


def _identifier(operation: Operation) -> str:
    words = operation.path.replace("/", " ").replace(".", " ").replace("{", "").replace("}", "")
    return "_".join([operation.method.lower(), *words.split()])


def _content(operation: Operation, components: Components) -> Json:
    if operation.body is None:
        return {media: {"schema": schema} for media, schema in operation.content.items()}
    struct = struct_of(operation.body)
    media: Json = {"schema": _body_schema(operation, struct, components)}
    if operation.example is not None:
        media["example"] = operation.example
    return {JSON: media}


def _body_schema(operation: Operation, struct: Struct, components: Components) -> Json:
    """Refer to a body; what not all who read it require is said beside the reference."""
    if not operation.required:
        return or_null(components.of(struct))
    readers = [o for dialect in DIALECTS for o in dialect.operations if o.body is operation.body]
    common = tuple(k for k in operation.required if all(k in o.required for o in readers))
    own = [key for key in operation.required if key not in common]
    schema = components.require(struct, common)
    if own:
        schema |= {"required": own, "properties": {k: {"not": {"type": "null"}} for k in own}}
    return schema


def _responses(dialect: Dialect, operation: Operation) -> Json:
    responses = {str(n): _response(answer) for n, answer in operation.answers.items()}
    reads = operation.body is not None or operation.content
    statuses = {*_ALWAYS, *operation.errors, *(_WITH_A_BODY if reads else ())}
    if operation.parameters:
        statuses |= {400, 404}
    if operation.body is not None and operation.path.startswith("/v1/"):
        statuses.add(415)  # only there a body may be compressed
    for status in sorted(statuses):
        responses[str(status)] = _refused(dialect, operation, status)
    return responses


def _refused(dialect: Dialect, operation: Operation, status: int) -> Json:
    if operation.method == "HEAD":
        return {key: part for key, part in _refusal(dialect, status).items() if key != "content"}
    if status == 404 and operation.parameters:
        refusal = _refusal(dialect, status)
        refusal["content"][TEXT] = {"schema": {"type": "string"}}  # no route has such a path
        return refusal
    return {"$ref": f"#/components/responses/{dialect.name}{status}"}


def _response(answer: Answer) -> Json:
    headers = [_REQUEST_ID, *([NOTICE] if answer.generated else [])]
    made: Json = {"description": answer.description, "headers": _referred(headers)}
    if answer.content:
        made["content"] = {media: {"schema": schema} for media, schema in answer.content.items()}
    return made


def _refusal(dialect: Dialect, status: int) -> Json:
    headers = [_REQUEST_ID, *([_RETRY_AFTER] if status == 503 else [])]
    error = reference(dialect.error)
    if status == 403 and dialect.error != _PLAIN:  # models elsewhere are refused as `/api` does
        error = {"anyOf": [error, reference(_PLAIN)]}
    return {
        "description": _REFUSALS[status],
        "headers": _referred(headers),
        "content": {JSON: {"schema": error}},
    }


def _referred(names: list[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
