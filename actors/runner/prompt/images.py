"""Where the images of a conversation stand in its prompt: tags `[img-0]`, `[img-1]`."""

from collections.abc import Iterable

from actorllm.protocol.chat import ChatMessage
from actorllm.protocol.codec import evolve

__all__ = ["all_images", "tag_images", "with_content"]

_PLACEHOLDER = "[img]"


def all_images(messages: Iterable[ChatMessage]) -> tuple[bytes, ...]:
    """Return the images of `messages` in the order of their tags."""
    return tuple(image for message in messages for image in message.images)


def with_content(message: ChatMessage, content: str) -> ChatMessage:
    """Return `message` with another content."""
    return evolve(message, content=content)


def _tag_content(content: str, first: int, count: int, *, spaced: bool = False) -> str:
    """Put the tags of `count` images into `content`, numbered from `first`.

    A client's `[img]` is replaced by one tag each, in order; further tags go in front, with a space
    behind them where `spaced` asks for it.
    """
    front = ""
    for number in range(first, first + count):
        tag = f"[img-{number}]"
        if _PLACEHOLDER in content:
            content = content.replace(_PLACEHOLDER, tag, 1)
        else:
            front += tag
    gap = spaced and front and content and not content[0].isspace()
    return f"{front} {content}" if gap else front + content


def tag_images(messages: Iterable[ChatMessage], *, spaced: bool = False) -> list[ChatMessage]:
    """Return `messages` with the tags of their images in their content."""
    tagged: list[ChatMessage] = []
    number = 0
    for message in messages:
        content = _tag_content(message.content, number, len(message.images), spaced=spaced)
        tagged.append(with_content(message, content))
        number += len(message.images)
    return tagged
