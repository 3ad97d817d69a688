"""From kinds of the wire to JSON Schema: what a request body may hold is read off what binds it.

Every field may be null, which leaves its default, and unknown keys are ignored; so the schemas of
bodies are open, and their fields nullable. What kinds cannot tell (what a field means, what may be
in one that takes anything) is data beside: `Notes`.
"""

import ast
import inspect
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, cast

import attrs

from actorllm.http.wire.binding import Struct
from actorllm.http.wire.values import Checked, Custom, Kind, Later, List, Map, Ordered
from actorllm.protocol.options import Options, kind_of

__all__ = ["OPTIONS", "Components", "Json", "Notes", "options_schema", "or_null", "reference"]

Json = dict[str, Any]

OPTIONS = "api.Options"
"""Name of the component of a model's options."""

_INT64 = 2**63
_BASE64 = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"

_BYTE: Json = {"type": ["integer", "null"], "minimum": 0, "maximum": 255}
_BYTES: Json = {
    "type": ["string", "array"],
    "contentEncoding": "base64",
    "pattern": _BASE64,
    "items": _BYTE,
}

_SIMPLE: dict[str, Json] = {
    "string": {"type": "string"},
    "bool": {"type": "boolean"},
    "int": {"type": "integer", "format": "int64", "minimum": -_INT64, "maximum": _INT64 - 1},
    "float32": {"type": "number", "format": "float"},
    "float64": {"type": "number", "format": "double"},
    "[]uint8": _BYTES,
    "api.ImageData": _BYTES,
    "interface {}": {},
    "json.RawMessage": {},
}
_OPTIONS: dict[str, Json] = {
    "integer": {"type": "number", "format": "int64"},  # fractions are cut
    "float32": {"type": "number", "format": "float"},
    "boolean": {"type": "boolean"},
    "array": {"type": "array", "items": {"type": "string"}},
    "object": {"type": "object", "additionalProperties": {"type": "number"}},
}


@attrs.frozen
class Notes:
    """What is said of fields beside what binds them."""

    fields: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    """By the name of the struct, `*` for all, and the key: a text, or a schema with one."""

    def of(self, struct: str, key: str) -> Json:
        """Return what is added to the schema of a field."""
        note = self.fields.get(struct, {}).get(key) or self.fields.get("*", {}).get(key) or {}
        return {"description": note} if isinstance(note, str) else dict(note)


def reference(name: str) -> Json:
    """Refer to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def options_schema() -> Json:
    """Describe the options of a model's run; unknown ones are ignored."""
    properties: dict[str, Json] = {}
    meanings = _meanings(Options)
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(Options)  # type: ignore[arg-type]
    for field in fields:
        kind = kind_of(field.name)
        assert kind is not None
        schema = or_null(_OPTIONS[kind.name])
        if field.name in meanings:
            schema["description"] = meanings[field.name]
        if field.default not in {None, ()}:
            default = field.default
            schema["default"] = list(default) if isinstance(default, tuple) else default
        properties[field.name] = schema
    return {"type": "object", "properties": properties}


def _meanings(cls: type) -> dict[str, str]:
    """Read the texts under the fields of a class."""
    body = cast(ast.ClassDef, ast.parse(inspect.getsource(cls)).body[0]).body
    return {
        ast.unparse(field.target): " ".join(str(text.value.value).split())
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }


class Components:
    """The schemas of a document that have names; structs that are met on the way join them.

    Args:
        schemas: Where they are kept; the first description of a struct stays.
        notes: What to say of fields.
    """

    def __init__(self, schemas: dict[str, Json], notes: Notes) -> None:
        self._schemas = schemas
        self._notes = notes

    def of(self, kind: Kind) -> Json:
        """Return the schema of a value that is not null."""
        match kind:
            case Checked():
                return self.of(kind.checked)
            case Struct():
                return self._struct(kind)
            case List():
                return {"type": "array", "items": or_null(self.of(kind.item))}
            case Later():
                return self.of(kind.kind())
            case Map() | Ordered():
                values = or_null(self.of(kind.item))
                return {"type": "object"} | ({"additionalProperties": values} if values else {})
            case Custom():
                return dict(kind.schema)
        return dict(_SIMPLE[kind.go])

    def require(self, struct: Struct, keys: tuple[str, ...]) -> Json:
        """Return the schema of a struct that is refused without these fields."""
        described = self._struct(struct)
        schema = self._schemas[struct.go]
        schema["required"] = list(keys)
        for key in keys:
            field = schema["properties"][key]
            if isinstance(field.get("type"), list):
                field["type"] = next(kind for kind in field["type"] if kind != "null")
        return described

    def _struct(self, struct: Struct) -> Json:
        name = struct.go
        if name not in self._schemas:
            self._schemas[name] = schema = {"type": "object", "properties": {}}
            schema["properties"] = {
                key: self._field(kind, self._notes.of(name, key))
                for key, (_, kind) in struct.fields.items()
            }
        return reference(name)

    def _field(self, kind: Kind, notes: Json) -> Json:
        if "$ref" in notes:  # the note knows more than the kind
            return or_null(notes)
        return or_null(self.of(kind)) | notes


def or_null(schema: Json) -> Json:
    """Let a schema accept null, too."""
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema:
        return schema | {"type": [kind, "null"]}
    if not schema or None in schema.get("enum", ()) or "null" in (kind or ()):
        return schema
    return {"anyOf": [schema, {"type": "null"}]}
