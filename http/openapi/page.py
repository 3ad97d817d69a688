"""The document as a page: HTML and CSS alone, nothing that runs and nothing from elsewhere."""

import hashlib
import json
import shlex
from base64 import b64encode
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import attrs
from jinja2 import Environment, StrictUndefined

from actorllm.http.openapi.document import document
from actorllm.http.openapi.schema import Json

__all__ = ["Page", "page"]


@attrs.frozen
class Page:
    """A page, and under which headers it is sent."""

    html: str
    headers: Mapping[str, str]


@cache
def page() -> Page:
    """Make the page."""
    folder = Path(__file__).parent
    style = (folder / "page.css").read_text(encoding="utf-8")
    # The template is a file of ours; everything that goes into it is escaped.
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"kind": _kind, "fields": _fields, "curl": _curl, "code": _code}
    template = environment.from_string((folder / "page.html").read_text(encoding="utf-8"))
    made = document()
    html = template.render(document=made, groups=list(_groups(made)), style=style)
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return Page(html, _headers(digest))


def _headers(digest: str) -> Mapping[str, str]:
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def _groups(made: Json) -> Iterator[tuple[Json, list[Json]]]:
    """Sort the operations by their tags."""
    for tag in made["tags"]:
        yield (
            tag,
            [
                operation | {"path": path, "method": method.upper()}
                for path, methods in made["paths"].items()
                for method, operation in methods.items()
                if tag["name"] in operation["tags"]
            ],
        )


def _kind(schema: Json) -> str:
    """Say in words what a schema takes."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " or ".join(json.dumps(v) for v in schema["enum"] if v is not None)
    if "const" in schema:
        return json.dumps(schema["const"])
    if "contentSchema" in schema:
        return f"JSON of {_kind(schema['contentSchema'])}"
    if "data" in schema.get("properties", {}):
        return f"data: {_kind(schema['properties']['data'])}"
    if "anyOf" in schema:
        kinds = [_kind(s) for s in schema["anyOf"] if s != {"type": "null"}]
        return " or ".join(dict.fromkeys(kinds))
    kinds = schema.get("type", "any")
    names = [k for k in ([kinds] if isinstance(kinds, str) else kinds) if k != "null"]
    return " or ".join(_named(name, schema) for name in names)


def _named(name: str, schema: Json) -> str:
    if name == "array" and schema.get("items"):
        return f"array of {_kind(schema['items'])}"
    values = schema.get("additionalProperties")
    if name == "object" and values:
        return f"object of {_kind(values)}"
    return "base64" if schema.get("contentEncoding") else name


def _fields(schema: Json) -> list[tuple[str, Any, bool]]:
    """Return the fields of a schema: name, schema, and whether it must be there."""
    parts = [*schema.get("allOf", ()), schema]
    found: Json = {}
    for part in parts:
        if "$ref" in part:
            part = document()["components"]["schemas"][part["$ref"].rpartition("/")[2]]  # noqa: PLW2901 -- what it refers to
        found |= part.get("properties", {})
    return [(name, field, name in schema.get("required", ())) for name, field in found.items()]


def _curl(operation: Json) -> str:
    """Write a command that tries an operation, if there is something to try."""
    content = operation.get("requestBody", {}).get("content", {})
    example = content.get("application/json", {}).get("example")
    if example is None:
        return ""
    method = "" if operation["method"] == "POST" else f" -X {operation['method']}"
    body = shlex.quote(json.dumps(example))
    return f"curl{method} 127.0.0.1:11434{operation['path']} -d {body}"


def _code(text: str) -> list[tuple[str, bool]]:
    """Split a text at its backticks: parts, and whether each is code."""
    return [(part, i % 2 == 1) for i, part in enumerate(text.split("`")) if part]
