"""Kinds of values that several request bodies share."""

from collections.abc import Sequence
from typing import Any

from actorllm.http.wire.binding import body, given, struct_of
from actorllm.http.wire.values import (
    ANY,
    FLOAT64,
    STRING,
    Bytes,
    Checked,
    Custom,
    Later,
    List,
    Ordered,
)
from actorllm.protocol.chat import ChatMessage, JsonObject, Think, ToolCall
from actorllm.protocol.durations import keep_alive
from actorllm.protocol.errors import Refused
from actorllm.protocol.gojson import quote_plain

__all__ = [
    "IMAGES",
    "KEEP_ALIVE",
    "OPENAI_TOOLS",
    "ORDERED",
    "THINK",
    "TOOLS",
    "MessageBody",
    "chat_message",
    "check_parameters",
    "token_ids",
]

_TOKEN_BITS = 31

_LEVELS = frozenset({"high", "medium", "low", "max"})


def _read_keep_alive(value: Any) -> int | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = FLOAT64.read(value)
    return keep_alive(value)


_DURATION = r"^[-+]?(?:0|(?:[0-9]+(?:\.[0-9]*)?(?:ns|us|µs|ms|s|m|h))+)$"
KEEP_ALIVE = Custom(
    _read_keep_alive,
    "api.Duration",
    {"type": ["string", "number", "null"], "pattern": _DURATION},
)


def _read_think(value: Any) -> Think:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise Refused.because(
            400,
            'think must be a boolean or string ("high", "medium", "low", "max", true, or false)',
        )
    if value not in _LEVELS:
        raise Refused.because(
            400,
            f"invalid think value: {quote_plain(value[:100])} "
            '(must be "high", "medium", "low", "max", true, or false)',
        )
    return value


THINK = Custom(_read_think, "api.ThinkValue", {"enum": [True, False, *sorted(_LEVELS), None]})
IMAGES = List(Bytes("api.ImageData"))


ORDERED = Ordered(ANY)
"""An object whose keys keep their order."""


@body("api.ToolCallFunction")
class FunctionCallBody:
    """The call of a function."""

    index: int = 0
    name: str = ""
    arguments: JsonObject | None = given(default=None, kind=ORDERED)


@body("api.ToolCall")
class ToolCallBody:
    """A tool call in a message."""

    id: str = ""
    function: FunctionCallBody = FunctionCallBody()


@body("api.Message", own="api.Alias")
class MessageBody:
    """A message of a conversation."""

    role: str = ""
    content: str = ""
    thinking: str = ""
    images: tuple[bytes, ...] = given(default=(), kind=IMAGES)
    tool_calls: tuple[ToolCallBody, ...] = ()
    tool_name: str = ""
    tool_call_id: str = ""


def chat_message(message: MessageBody) -> ChatMessage:
    """Translate a message; roles are lower-cased and not validated."""
    return ChatMessage(
        role=message.role.lower(),
        content=message.content,
        thinking=message.thinking,
        images=message.images,
        tool_calls=tuple(
            ToolCall(
                name=call.function.name,
                arguments=call.function.arguments or {},
                id=call.id,
                index=call.function.index,
            )
            for call in message.tool_calls
        ),
        tool_name=message.tool_name,
        tool_call_id=message.tool_call_id,
    )


def _read_types(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else _TYPES.read(value)


_TYPES = List(STRING)
_PROPERTY = Later("api.ToolProperty", lambda: struct_of(_PropertyBody))
_PROPERTIES = Ordered(_PROPERTY)


@body("api.ToolProperty")
class _PropertyBody:
    """A property of the parameters of a tool, or of a property."""

    any_of: Any = given(default=None, key="anyOf", kind=List(_PROPERTY))
    type: tuple[str, ...] = given(
        default=(),
        kind=Custom(
            _read_types,
            schema={"type": ["string", "array", "null"], "items": {"type": ["string", "null"]}},
        ),
    )
    items: Any = None
    description: str = ""
    enum: tuple[Any, ...] = ()
    properties: JsonObject | None = given(default=None, kind=_PROPERTIES)
    required: tuple[str, ...] = ()


@body("api.ToolFunctionParameters")
class _ParametersBody:
    """Checked, not used: tools travel as they were sent."""

    type: str = ""
    defs: Any = given(default=None, key="$defs")
    items: Any = None
    required: tuple[str, ...] = ()
    properties: JsonObject | None = given(default=None, kind=_PROPERTIES)


@body("api.ToolFunction")
class _FunctionBody:
    name: str = ""
    description: str = ""
    parameters: _ParametersBody = _ParametersBody()


@body("api.Tool")
class _ToolBody:
    type: str = ""
    items: Any = None
    function: _FunctionBody = _FunctionBody()


# Tool declarations are checked as the reference checks them, and travel as they are.
TOOLS = Checked(List(struct_of(_ToolBody), "api.Tools"))
OPENAI_TOOLS = Checked(List(struct_of(_ToolBody), "[]api.Tool"))


def check_parameters(schema: Any) -> None:
    """Check the parameters of a tool by themselves.

    Raises:
        Mismatch: A part of them has the wrong type.
        UnorderedError: The properties, or those of one, are no object.
    """
    if schema is not None:
        struct_of(_ParametersBody).read(schema)


def token_ids(values: Sequence[int]) -> tuple[int, ...]:
    """Check the numbers of tokens.

    Raises:
        Refused: 400, one can be no token of any vocabulary.
    """
    for token in values:
        if token < 0 or token >> _TOKEN_BITS:
            raise Refused.because(400, f"{token} is no token")
    return tuple(values)
