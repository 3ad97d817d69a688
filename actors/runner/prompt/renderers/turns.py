"""What renderers of several families need to know about the turns of a conversation."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from attrs import frozen

from actorllm.protocol.chat import ChatMessage

__all__ = ["Turn", "last_query", "split_thoughts", "turns"]


@frozen
class Turn:
    """A message and where it stands."""

    index: int
    message: ChatMessage
    last: bool
    """It is the last message of the conversation."""


def turns(messages: Sequence[ChatMessage]) -> Iterator[tuple[Turn, ...]]:
    """Yield the turns, results of tools that follow each other together, all others alone."""
    numbered = (Turn(n, m, n == len(messages) - 1) for n, m in enumerate(messages))
    for is_result, group in groupby(numbered, key=lambda turn: turn.message.role == "tool"):
        if is_result:
            yield tuple(group)
        else:
            yield from ((turn,) for turn in group)


def last_query(messages: Iterable[ChatMessage]) -> int:
    """Return the index of the last message in which a user asks something; -1 without one.

    A user's message that is a tool's result in its tags is none.
    """
    found = -1
    for index, message in enumerate(messages):
        text = message.content.strip()
        result = text.startswith("<tool_response>") and text.endswith("</tool_response>")
        if message.role == "user" and not result:
            found = index
    return found


def split_thoughts(message: ChatMessage) -> tuple[str, str]:
    """Return thoughts and content of an answer, also where both are in its content."""
    if message.thinking or "</think>" not in message.content:
        return message.thinking, message.content
    before, content = message.content.split("</think>", maxsplit=1)
    return before.rsplit("<think>", maxsplit=1)[-1], content
