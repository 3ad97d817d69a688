"""Tools as the reference decodes and prints them: known fields, in a fixed order."""

from typing import Any

from actorllm.protocol.chat import Tool

__all__ = ["go_tool", "type_names", "typescript_type"]

_PROPERTY = ("anyOf", "type", "items", "description", "enum", "properties", "required")
_TYPESCRIPT = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "array": "any[]",
    "object": "Record<string, any>",
    "null": "null",
}


def type_names(schema: Any) -> list[str]:
    """Return the types that a schema names, as a list."""
    found = schema.get("type") if isinstance(schema, dict) else None
    if isinstance(found, str):
        return [found] if found else []
    return [str(name) for name in found] if isinstance(found, list) else []


def typescript_type(schema: Any) -> str:
    """Return the TypeScript type of a property's schema."""
    if not isinstance(schema, dict):
        return "any"
    options = schema.get("anyOf")
    if isinstance(options, list) and options:
        return " | ".join(typescript_type(option) for option in options)
    return " | ".join(_TYPESCRIPT.get(name, "any") for name in type_names(schema)) or "any"


def _go_property(schema: Any) -> dict[str, Any]:
    """Return a property's schema with the known keys in the reference's order."""
    if not isinstance(schema, dict):
        return {}
    known: dict[str, Any] = {}
    for key in _PROPERTY:
        value = schema.get(key)
        if not value and value not in (0, False):
            continue
        if key == "type":
            names = type_names(schema)
            value = names[0] if len(names) == 1 else names
        elif key == "anyOf":
            value = [_go_property(option) for option in value] if isinstance(value, list) else []
        elif key == "properties":
            parts = value.items() if isinstance(value, dict) else ()
            value = {name: _go_property(part) for name, part in parts}
        elif key in ("required", "enum") and not isinstance(value, list):
            continue
        elif key == "description":
            value = _text(value)
        elif key in ("items", "enum"):
            value = _sorted(value)
        known[key] = value
    return known


def _go_parameters(parameters: Any, *, sort: bool = False) -> dict[str, Any]:
    """Return a function's parameters with the known keys in the reference's order.

    Args:
        parameters: the schema that the client sent.
        sort: sort the properties by name.
    """
    schema = parameters if isinstance(parameters, dict) else {}
    properties = schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    names = sorted(properties) if sort else list(properties)
    known: dict[str, Any] = {"type": _text(schema.get("type"))}
    for key in ("$defs", "items", "required"):
        if schema.get(key) and (key != "required" or isinstance(schema[key], list)):
            known[key] = _sorted(schema[key])
    known["properties"] = {name: _go_property(properties[name]) for name in names}
    return known


def go_tool(tool: Tool, *, sort: bool = False, description: bool = False) -> dict[str, Any]:
    """Return a tool's declaration as the reference keeps it.

    Args:
        tool: what the client sent.
        sort: sort the properties by name.
        description: keep an empty description.
    """
    function = tool.get("function")
    function = function if isinstance(function, dict) else {}
    known: dict[str, Any] = {"name": _text(function.get("name"))}
    about = _text(function.get("description"))
    if description or about:
        known["description"] = about
    known["parameters"] = _go_parameters(function.get("parameters"), sort=sort)
    outer: dict[str, Any] = {"type": _text(tool.get("type"))}
    if tool.get("items"):
        outer["items"] = _sorted(tool["items"])
    return outer | {"function": known}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(part) for part in value] if isinstance(value, list) else value
