"""Blocks of content, of which messages are made: what they are and what they become."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from actorllm.http.wire import base64
from actorllm.http.wire.binding import body, given, struct_of
from actorllm.http.wire.kinds import ORDERED
from actorllm.http.wire.mismatch import Mismatch
from actorllm.http.wire.values import List, UnorderedError
from actorllm.protocol.chat import ChatMessage, JsonObject, ToolCall
from actorllm.protocol.errors import Refused
from actorllm.protocol.gojson import text

__all__ = ["MISSING", "ContentBlockBody", "blocks_of", "messages_of", "size_of", "system_text"]


@body("anthropic.ImageSource")
class ImageSourceBody:
    """Where an image is."""

    type: str = ""
    media_type: str = ""
    data: str = ""
    url: str = ""


@body("anthropic.Citation")
class CitationBody:
    """Where a text has something from."""

    type: str = ""
    url: str = ""
    title: str = ""
    encrypted_index: str = ""
    cited_text: str = ""


@body("anthropic.ContentBlock")
class ContentBlockBody:
    """A block; which fields count depends on its type."""

    type: str = ""
    text: str = ""
    citations: tuple[CitationBody, ...] = ()
    """Taken and ignored, as the reference does."""
    thinking: str = ""
    signature: str = ""
    source: ImageSourceBody | None = None
    id: str = ""
    name: str = ""
    input: JsonObject | None = given(default=None, kind=ORDERED)
    tool_use_id: str = ""
    content: Any = None
    is_error: bool = False


MISSING: Final = object()
"""Stands for a content that was not sent, which is another thing than null."""

_BLOCKS = List(struct_of(ContentBlockBody))
_CALLS = ("tool_use", "server_tool_use")
_RESULTS = ("tool_result", "web_search_tool_result")


def blocks_of(content: Any) -> tuple[ContentBlockBody, ...]:
    """Read the content of a message: a text is a block by itself.

    Raises:
        Refused: 400, it is neither a text nor blocks.
    """
    if content is MISSING:
        raise Refused.because(400, "unexpected end of JSON input")
    if content is None or isinstance(content, str):
        return (ContentBlockBody(type="text", text=content or ""),)
    try:
        return _BLOCKS.read(content)
    except Mismatch as e:
        e.struct, e.path = "MessagesRequest", ("messages", *e.path)
        raise Refused.because(400, str(e)) from None
    except UnorderedError as e:
        raise Refused.because(400, str(e)) from None


def messages_of(role: str, blocks: Sequence[ContentBlockBody]) -> Iterator[ChatMessage]:
    """Translate the blocks of one message; what says nothing is left out.

    Raises:
        Refused: 400, a block lacks something.
    """
    role = role.lower()
    said = "".join(b.text for b in blocks if b.type == "text")
    thought = "".join(b.thinking for b in blocks if b.type == "thinking")
    images = tuple(_image(b.source, "invalid image source") for b in blocks if b.type == "image")
    calls = tuple(_call(b) for b in blocks if b.type in _CALLS)
    results = [_result(b) for b in blocks if b.type in _RESULTS]
    if role == "user":  # results answer the calls of the message before, so they come first
        yield from results
    if said or thought or images or calls:
        yield ChatMessage(role, said, thought, images, calls)
    if role != "user":
        yield from results


def _call(block: ContentBlockBody) -> ToolCall:
    for key in ("id", "name"):
        if block.type == "tool_use" and not getattr(block, key):
            raise Refused.because(400, f"tool_use block missing required '{key}' field")
    return ToolCall(block.name, block.input or {}, block.id)


def _result(block: ContentBlockBody) -> ChatMessage:
    content = block.content
    if block.type == "web_search_tool_result":
        return ChatMessage("tool", _web_results(content), tool_call_id=block.tool_use_id)
    said = content if isinstance(content, str) else ""
    images: tuple[bytes, ...] = ()
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict)]
        said = "".join(_string(part, "text") for part in parts if part.get("type") == "text")
        images = tuple(_image_of(part) for part in parts if part.get("type") == "image")
    return ChatMessage("tool", said, images=images, tool_call_id=block.tool_use_id)


def _image_of(part: JsonObject) -> bytes:
    source = part.get("source")
    wrong = "invalid tool_result image source"
    if not isinstance(source, dict):
        raise Refused.because(400, wrong)
    return _image(
        ImageSourceBody(type=_string(source, "type"), data=_string(source, "data")), wrong
    )


def _image(source: ImageSourceBody | None, wrong: str) -> bytes:
    if source is None:
        raise Refused.because(400, wrong)
    if source.type != "base64":
        raise Refused.because(
            400,
            f"invalid image source type: {source.type[:100]}. Only base64 images are supported.",
        )
    try:
        return base64.decode(source.data)
    except base64.Base64Error as e:
        raise Refused.because(400, f"invalid base64 image data: {e}") from None


def _web_results(content: Any) -> str:
    """Write what a search of the web found earlier in the conversation, for the model."""
    if isinstance(content, str):
        return content
    items = content if isinstance(content, list) else [content]
    lines = []
    for item in items:
        if not isinstance(item, dict):
            continue
        if item.get("type") == "web_search_tool_result_error":
            code = _string(item, "error_code")
            return f"web_search_tool_result_error{': ' if code else ''}{code}"
        if item.get("type") == "web_search_result":
            lines.append(f"- {_string(item, 'title')}: {_string(item, 'url')}\n")
    return "".join(lines)


def system_text(value: Any) -> str:
    """Read the system's text, or the texts of its blocks."""
    if isinstance(value, str):
        return value
    blocks = [b for b in value if isinstance(b, dict)] if isinstance(value, list) else []
    return "".join(_string(b, "text") for b in blocks if b.get("type") == "text")


def _string(value: JsonObject, key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""


def size_of(content: Any) -> int:
    """Count the bytes of a content, as far as they make tokens."""
    if content is None:
        return 0
    if isinstance(content, str):
        return len(content.encode())
    if not isinstance(content, list):
        return len(text(content).encode())
    return sum(_size_of_block(block) for block in content if isinstance(block, dict))


def _size_of_block(block: JsonObject) -> int:
    size = sum(len(_string(block, key).encode()) for key in ("text", "thinking"))
    if block.get("type") in {"tool_use", "tool_result"}:
        size += len(text(block).encode())
    return size
