"""A budget of time and memory for one rendering of an untrusted template.

Python cannot bound the memory of a piece of code, so the sandbox asks here *before* each operation
that can make something big, and tells how big it may become. What is not made in Python code of
ours (a comparison, a slice) works on values that were paid for, so it ends soon.
"""

import time
from collections.abc import ItemsView, Iterable, KeysView, Sequence, ValuesView
from contextvars import ContextVar
from typing import Any

from jinja2.utils import Namespace

from actorllm.actors.runner.prompt.errors import LimitExceeded, TemplateError
from actorllm.protocol.chat import ChatMessage, Tool

__all__ = ["LONGEST_INT", "Budget", "active", "text_size"]

_BASE_BYTES = 32 << 20
"""What a template may make when its input is small. A prompt of a million tokens has 5 MB."""
_BYTES_PER_INPUT_BYTE = 16
_SECONDS = 0.35
"""Processor time of the rendering thread. A usual conversation takes a few milliseconds."""
_SECONDS_PER_INPUT_BYTE = 1e-6
_SECONDS_PER_PAIR_OF_MESSAGES = 5e-6
"""Many templates look through the whole conversation for each message."""
_MOST_SECONDS = 10.0
LONGEST_INT = 4096
"""Bits of the longest whole number: Python's arithmetic is quadratic beyond."""
_DEEPEST = 100
_POINTER = 8
_ITEM = 64

active: ContextVar["Budget"] = ContextVar("active")
"""The budget of the rendering that runs in this context."""


def text_size(text: str) -> int:
    """Return the most bytes that `text` takes in memory."""
    return len(text) if text.isascii() else 4 * len(text)


class Budget:
    """What one rendering may still use.

    Args:
        input_size: bytes of the conversation and tools; a long conversation may cost more.
        messages: how many messages the conversation has.
        seconds: processor time for a small conversation.
    """

    def __init__(
        self, input_size: int = 0, messages: int = 0, *, seconds: float = _SECONDS
    ) -> None:
        self._left = _BASE_BYTES + _BYTES_PER_INPUT_BYTE * input_size
        seconds += _SECONDS_PER_INPUT_BYTE * input_size
        seconds += _SECONDS_PER_PAIR_OF_MESSAGES * messages * messages
        self._deadline = time.thread_time() + min(seconds, _MOST_SECONDS)
        self._ticks = 0
        # Keeps the containers alive: an id is only unique among living objects.
        self._known: dict[int, tuple[object, int, int]] = {}

    @classmethod
    def of(cls, messages: Sequence[ChatMessage], tools: Sequence[Tool] = ()) -> "Budget":
        """Return the budget for rendering this conversation."""
        size = sum(text_size(m.content) + text_size(m.thinking) for m in messages)
        size += sum(len(str(call.arguments)) for m in messages for call in m.tool_calls)
        return cls(size + sum(len(str(tool)) for tool in tools), len(messages))

    def tick(self) -> None:
        """Count a step; raise `LimitExceeded` when the time is over."""
        self._ticks += 1
        if self._ticks & 7 == 0 and time.thread_time() > self._deadline:
            raise LimitExceeded("the template takes too long; use another template or model")

    def require(self, size: float) -> None:
        """Raise `LimitExceeded` unless `size` bytes are left."""
        if size > self._left:
            raise LimitExceeded("the template makes too much text; use another template or model")

    def charge(self, size: int) -> None:
        """Take `size` bytes from the budget."""
        self.tick()
        self.require(size)
        self._left -= size

    def forget(self) -> None:
        """Measure all containers again: one of them changed."""
        self._known.clear()

    def measure(self, value: Any) -> tuple[int, int]:
        """Return the bytes of `value` printed in full, and how deep it nests.

        A list that holds another twice counts it twice: a few small literals can nest into more
        text than any machine holds.
        """
        return self._measure(value, 0)

    def made(self, value: Any) -> Any:
        """Pay for a value that was just made and return it."""
        self.tick()
        if isinstance(value, int):
            if value.bit_length() > LONGEST_INT:
                raise LimitExceeded("the template computes a number that is too big")
        elif isinstance(value, str):
            self.charge(text_size(value))
        elif isinstance(value, (list, tuple, dict)):
            before = len(self._known)
            size, _ = self.measure(value)
            self.require(size)
            self.charge(_ITEM + _POINTER * len(value) * (2 if isinstance(value, dict) else 1))
            self.charge(_ITEM * (len(self._known) - before))
        return value

    def listed(self, values: Iterable[Any]) -> list[Any]:
        """Return `values` as a list, paying for each item while it is made."""
        if isinstance(values, list):
            return values
        made: list[Any] = []
        for value in values:
            self.charge(_ITEM)
            made.append(value)
        return made

    def _measure(self, value: Any, depth: int) -> tuple[int, int]:
        if isinstance(value, str):
            return text_size(value) + 2, 0
        if isinstance(value, int):
            return _POINTER + value.bit_length() // 3, 0
        if isinstance(value, Namespace):
            raise TemplateError("the template prints a namespace; print one of its values")
        if isinstance(value, (KeysView, ValuesView, ItemsView)):
            value = list(value)
        if not isinstance(value, (list, tuple, dict)):
            return _ITEM, 0
        known = self._known.get(id(value))
        if known is not None:
            return known[1], known[2]
        if depth > _DEEPEST:
            raise LimitExceeded("the template nests its values too deep")
        size, deepest = 2, 0
        for item in _parts(value):
            self.tick()
            item_size, item_depth = self._measure(item, depth + 1)
            size += item_size + 2
            deepest = max(deepest, item_depth)
        self._known[id(value)] = (value, size, deepest + 1)
        return size, deepest + 1


def _parts(value: list[Any] | tuple[Any, ...] | dict[Any, Any]) -> Iterable[Any]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield item
    else:
        yield from value
