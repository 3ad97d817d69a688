"""Where the images of a conversation stand in its prompt: tags `[img-0]`, `[img-1]`, …"""

from collections.abc import Iterable

import attrs

from actorllm.protocol.chat import ChatMessage

__all__ = ["all_images", "tag_content", "tag_images"]

_PLACEHOLDER = "[img]"


def all_images(messages: Iterable[ChatMessage]) -> tuple[bytes, ...]:
    """Return the images of `messages` in the order of their tags."""
    return tuple(image for message in messages for image in message.images)


def tag_content(content: str, first: int, count: int, *, space: str = "") -> str:
    """Put the tags of `count` images into `content`, numbered from `first`.

    A client's `[img]` is replaced by one tag each, in order; further tags go in front.
    """
    front = ""
    for number in range(first, first + count):
        tag = f"[img-{number}]"
        if _PLACEHOLDER in content:
            content = content.replace(_PLACEHOLDER, tag, 1)
        else:
            front += tag + space
    return front + content


def tag_images(messages: Iterable[ChatMessage]) -> list[ChatMessage]:
    """Return `messages` with the tags of their images in their content."""
    tagged: list[ChatMessage] = []
    number = 0
    for message in messages:
        content = tag_content(message.content, number, len(message.images))
        tagged.append(attrs.evolve(message, content=content))
        number += len(message.images)
    return tagged
