"""What a renderer is given."""

from collections.abc import Callable
from datetime import datetime

from attrs import frozen

from actorllm.protocol.chat import ChatMessage, Think, Tool

__all__ = ["Renderer", "Request"]


@frozen
class Request:
    """A conversation to render."""

    messages: tuple[ChatMessage, ...]
    tools: tuple[Tool, ...]
    think: Think
    now: datetime


Renderer = Callable[[Request], str]
"""Returns the prompt; raises `TemplateError` (400) for a conversation that it cannot render."""
