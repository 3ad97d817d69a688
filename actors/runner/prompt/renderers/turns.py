"""What renderers of several families need to know about the turns of a conversation."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from attrs import frozen

from actorllm.protocol.chat import ChatMessage, ToolCall

__all__ = ["Turn", "answered_call", "last_query", "split_thoughts", "turns"]


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


def answered_call(result: ChatMessage, asked: list[ToolCall]) -> ToolCall | None:
    """Take from `asked` the call that `result` answers and return it.

    It is found by its id, else by its name; a result without either answers the next call.
    """
    found = next((c for c in asked if c.id and c.id == result.tool_call_id), None)
    if found is None:
        found = next((c for c in asked if c.name == result.tool_name), None)
    if found is None and not result.tool_name and not result.tool_call_id and asked:
        found = asked[0]
    if found is not None:
        asked.remove(found)
    return found
