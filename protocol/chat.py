"""Conversations: the messages, tools and settings that a prompt is made of."""

from typing import Any, Literal

from actorllm.protocol.codec import message

__all__ = ["ChatMessage", "JsonObject", "Think", "Tool", "ToolCall", "ToolChoice"]

JsonObject = dict[str, Any]
"""A decoded JSON object; the order of its keys is kept."""

Tool = JsonObject
"""A tool's declaration as the client sent it: `{"type": "function", "function": {…}}`."""

Think = bool | str | None
"""None: not set; true or false; or a level: `low`, `medium`, `high`, `max`."""


@message
class ToolCall:
    """A call of a tool, asked for by the model."""

    name: str
    arguments: JsonObject
    """In the order in which the model or the client wrote them."""
    id: str = ""
    index: int = 0


@message
class ChatMessage:
    """One message of a conversation."""

    role: str
    """Lower case; usually `system`, `user`, `assistant` or `tool`, but any word is allowed."""
    content: str = ""
    thinking: str = ""
    images: tuple[bytes, ...] = ()
    """Decoded bytes; audio travels here, too."""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_name: str = ""
    tool_call_id: str = ""


@message
class ToolChoice:
    """Whether and what the model must call."""

    mode: Literal["auto", "none", "required"] = "auto"
    """As it likes, nothing, or at least one tool."""
    names: tuple[str, ...] = ()
    """The only tools that it may call; none: all that are declared."""
    parallel: bool = True
    """Whether it may call several at once."""
