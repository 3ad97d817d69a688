"""What is inside the two JSON layers of a model: parameters and messages.

They are written as Go writes a map and a list of structs, so equal contents have equal digests
whoever built them.
"""

import base64
import binascii
from typing import Any

from actorllm.protocol.chat import ChatMessage, JsonObject, ToolCall
from actorllm.protocol.gojson import JsonError, dumps, loads

__all__ = [
    "MAX_LAYER",
    "LayerError",
    "dump_messages",
    "dump_params",
    "message_fields",
    "parse_messages",
    "parse_params",
]

MAX_LAYER = 16 * 1024 * 1024
"""Largest layer of text that is read, in bytes."""


class LayerError(ValueError):
    """A layer that is no JSON of the expected shape."""


def parse_params(data: bytes) -> JsonObject:
    """Read a layer of parameters. Its values are checked when the options are merged.

    Raises:
        LayerError: It is no JSON object.
    """
    value = _decode(data, "parameters")
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise LayerError("parameters must be an object")
    return value


def dump_params(params: JsonObject) -> bytes:
    """Write a layer of parameters; keys are sorted at every level."""
    return dumps(_sorted(params)) + b"\n"


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list | tuple) else value


def parse_messages(data: bytes) -> tuple[ChatMessage, ...]:
    """Read a layer of messages.

    Raises:
        LayerError: It is no JSON array of messages.
    """
    value = _decode(data, "messages")
    if value is None:
        return ()
    return tuple(_message(item) for item in _list(value, "messages"))


def dump_messages(messages: tuple[ChatMessage, ...]) -> bytes:
    """Write a layer of messages."""
    return dumps([message_fields(message) for message in messages]) + b"\n"


def message_fields(message: ChatMessage) -> JsonObject:
    """Return a message as the wire has it; what is empty is left out."""
    fields: JsonObject = {"role": message.role, "content": message.content}
    optional = {
        "thinking": message.thinking,
        "images": [base64.b64encode(image).decode() for image in message.images],
        "tool_calls": [_call_fields(call) for call in message.tool_calls],
        "tool_name": message.tool_name,
        "tool_call_id": message.tool_call_id,
    }
    return fields | {key: value for key, value in optional.items() if value}


def _call_fields(call: ToolCall) -> JsonObject:
    function = {"index": call.index, "name": call.name, "arguments": call.arguments}
    return ({"id": call.id} if call.id else {}) | {"function": function}


def _decode(data: bytes, what: str) -> Any:
    if len(data) > MAX_LAYER:
        raise LayerError(f"{what} of {len(data)} bytes are larger than {MAX_LAYER}")
    try:
        return loads(data)
    except (JsonError, OverflowError) as e:
        raise LayerError(f"{what} are not valid JSON") from e


def _message(value: Any) -> ChatMessage:
    fields = _object(value, "a message")
    return ChatMessage(
        role=_text(fields, "role").lower(),
        content=_text(fields, "content"),
        thinking=_text(fields, "thinking"),
        images=tuple(_image(item) for item in _list(fields.get("images"), "images")),
        tool_calls=tuple(_call(item) for item in _list(fields.get("tool_calls"), "tool_calls")),
        tool_name=_text(fields, "tool_name"),
        tool_call_id=_text(fields, "tool_call_id"),
    )


def _call(value: Any) -> ToolCall:
    fields = _object(value, "a tool call")
    function = _object(fields.get("function"), "function")
    return ToolCall(
        name=_text(function, "name"),
        arguments=_object(function.get("arguments"), "arguments"),
        id=_text(fields, "id"),
        index=_index(function.get("index")),
    )


def _image(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise LayerError("an image must be base64") from None


def _index(value: Any) -> int:
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value < 2**31:
        raise LayerError("index must be an integer that is not negative")
    return value


def _object(value: Any, what: str) -> JsonObject:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise LayerError(f"{what} must be an object")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise LayerError(f"{what} must be an array")
    return value


def _text(fields: JsonObject, key: str) -> str:
    value = fields.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise LayerError(f"{key} must be a string")
    return value
