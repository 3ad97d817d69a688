"""The values that a Go template sees: structs, lists and maps that print in ways of their own."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from actorllm.actors.runner.prompt.errors import TemplateError
from actorllm.actors.runner.prompt.gojson import go_float, go_json, go_number
from actorllm.actors.runner.prompt.gotools import go_tool, type_names
from actorllm.protocol.chat import ChatMessage, Tool, ToolCall

__all__ = [
    "GoList",
    "GoMap",
    "Property",
    "Struct",
    "go_messages",
    "go_tools",
    "print_go",
    "to_json",
]


class Struct:
    """A Go struct: its fields are fixed, an unknown one is an error.

    Args:
        fields: name and value, in their order.
        plain: the JSON value as which it prints; None: it prints its values in braces.
    """

    def __init__(self, fields: Mapping[str, Any], plain: Any = None) -> None:
        self.fields = dict(fields)
        self.plain = plain
        self._text = "" if plain is None else go_json(plain, sort_nested=False)

    def __str__(self) -> str:
        return (
            self._text or f"{{{' '.join(print_go(v, nested=True) for v in self.fields.values())}}}"
        )

    def get(self, name: str) -> Any:
        if name not in self.fields:
            raise TemplateError(f"the model's template asks for .{name}, which is not there")
        return self.fields[name]


class GoList(list[Any]):
    """A slice; empty, it is Go's nil, whose JSON is `null`. `text` replaces its printed form."""

    def __init__(self, values: Sequence[Any] = (), text: str | None = None) -> None:
        super().__init__(values)
        self.text = text


class GoMap(dict[str, Any]):
    """A map that prints as JSON."""

    def __init__(self, values: Mapping[str, Any], text: str) -> None:
        super().__init__(values)
        self.text = text


def print_go(value: Any, *, nested: bool = False) -> str:
    """Return `value` as `{{ . }}` prints it (`%v` inside of other values)."""
    if value is None:
        return "<nil>" if nested else "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return go_number(value)
    if isinstance(value, (GoList, GoMap)) and value.text is not None:
        return value.text
    if isinstance(value, dict):
        parts = (f"{key}:{print_go(value[key], nested=True)}" for key in sorted(value))
        return f"map[{' '.join(parts)}]"
    if isinstance(value, (list, tuple)):
        return f"[{' '.join(print_go(part, nested=True) for part in value)}]"
    return str(value)


def to_json(value: Any) -> str:
    """Return `value` as Go's `json.Marshal` writes it."""
    return go_json(_plain(value), sort_nested=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Struct) and value.plain is not None:
        return value.plain
    if isinstance(value, Struct):
        return {name: _plain(part) for name, part in value.fields.items()}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {key: _plain(value[key]) for key in sorted(value)}
    if isinstance(value, GoList) and not value:
        return None
    return [_plain(part) for part in value] if isinstance(value, (list, tuple)) else value


def go_messages(messages: Sequence[ChatMessage]) -> GoList:
    """Return `messages` as a template sees them in `.Messages`."""
    return GoList([_message(message) for message in messages])


def _message(message: ChatMessage) -> Struct:
    return Struct(
        {
            "Role": message.role,
            "Content": message.content,
            "Thinking": message.thinking,
            "Images": GoList(message.images),
            "ToolCalls": GoList([_call(call) for call in message.tool_calls]),
            "ToolName": message.tool_name,
            "ToolCallID": message.tool_call_id,
        }
    )


def _call(call: ToolCall) -> Struct:
    arguments = GoMap(_floats(call.arguments), go_json(call.arguments, sort=True))
    function = Struct({"Index": call.index, "Name": call.name, "Arguments": arguments})
    return Struct({"ID": call.id, "Function": function})


def _floats(value: Any) -> Any:
    """Return a decoded JSON value with the types that Go gives it: every number is a float."""
    if isinstance(value, dict):
        return {key: _floats(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_floats(part) for part in value]
    return go_float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def go_tools(tools: Sequence[Tool]) -> GoList:
    """Return `tools` as a template sees them in `.Tools`."""
    if not tools:
        return GoList((), "null")
    found = [_tool(tool) for tool in tools]
    return GoList(found, f"[{','.join(map(str, found))}]")


def _tool(tool: Tool) -> Struct:
    plain = go_tool(tool, sort=True, description=True)
    function = plain["function"]
    parameters = function["parameters"]
    properties = GoMap(
        {name: _property(schema) for name, schema in parameters["properties"].items()},
        go_json(parameters["properties"], sort_nested=False),
    )
    shape = Struct(
        {
            "Type": parameters["type"],
            "Defs": _floats(parameters.get("$defs")),
            "Items": _floats(parameters.get("items")),
            "Required": GoList(parameters.get("required", ())),
            "Properties": properties,
        }
    )
    described = Struct(
        {"Name": function["name"], "Description": function["description"], "Parameters": shape}
    )
    return Struct(
        {"Type": plain["type"], "Items": _floats(plain.get("items")), "Function": described}, plain
    )


class Property(Struct):
    """A parameter of a tool; knows its schema for `toTypeScriptType`."""

    def __init__(self, fields: Mapping[str, Any], schema: dict[str, Any]) -> None:
        super().__init__(fields)
        self.schema = schema


def _property(schema: dict[str, Any]) -> Property:
    names = type_names(schema)
    nested = schema.get("properties", {})
    return Property(
        {
            "AnyOf": GoList([_property(option) for option in schema.get("anyOf", ())]),
            "Type": GoList(names, names[0] if len(names) == 1 else "" if not names else None),
            "Items": _floats(schema.get("items")),
            "Description": schema.get("description", ""),
            "Enum": GoList(_floats(schema.get("enum", []))),
            "Properties": GoMap(
                {name: _property(part) for name, part in nested.items()},
                go_json(nested, sort_nested=False),
            ),
            "Required": GoList(schema.get("required", ())),
        },
        schema,
    )
