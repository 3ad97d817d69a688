"""Hermes and Qwen: `<tool_call>{"name": …, "arguments": {…}}</tool_call>`; JSON calls in general."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from actorllm.actors.runner.parse.calls import (
    BadCall,
    Toolbox,
    as_arguments,
    call_of_object,
    load_json,
    partly,
)
from actorllm.actors.runner.parse.fence import Decode, Fence
from actorllm.actors.runner.parse.fenced import Dialect, Opens
from actorllm.actors.runner.parse.scan import JsonEnd
from actorllm.protocol.chat import ToolCall

__all__ = ["APERTUS", "HERMES", "decode_json_call", "json_dialect"]

_BETWEEN = re.compile(r"[\s,;\[\]]*")


def decode_json_call(body: str, _tools: Toolbox) -> list[ToolCall]:
    """Read one call, a list of them, or several in a row."""
    return _read(body, call_of_object)


def _read(body: str, read: Callable[[Any], ToolCall]) -> list[ToolCall]:
    """Read JSON objects as calls.

    Of a list that is broken or cut off, the calls that are complete come with the `BadCall`.
    """
    calls: list[ToolCall] = []
    bad: BadCall | None = None
    for value in _values(body):
        try:
            if isinstance(value, BadCall):
                raise value
            calls.append(read(value))
        except BadCall as error:
            bad = error
    with partly(calls):
        if bad or not calls:
            raise bad or BadCall("the call is empty")
    return calls


def _values(body: str) -> Iterator[Any]:
    """Give the JSON objects of a body, and a `BadCall` for each that cannot be read."""
    try:
        value = load_json(body)
        yield from value if isinstance(value, list) else [value]
    except BadCall:
        yield from _objects(body)


def _objects(body: str) -> Iterator[Any]:
    at = 0
    while at < len(body):
        between = _BETWEEN.match(body, at)
        assert between is not None
        start = body.find("{", between.end())
        if start != between.end() < len(body):
            yield BadCall("there is more than calls")
        if start < 0:
            return
        end = JsonEnd().find(body, start)
        if end < 0:
            yield BadCall("the call is cut off")
            return
        try:
            yield load_json(body[start:end])
        except BadCall as bad:
            yield bad
        at = end


def json_dialect(
    *fences: tuple[str, str],
    decode: Decode = decode_json_call,
    calls_in_thinking: bool = False,
) -> Dialect:
    """Give the dialect whose JSON calls stand between other tags; no closing tag: none is needed."""
    return Dialect(
        think_open="<think>",
        think_close="</think>",
        opens=Opens.FIRST,
        fences=tuple(Fence(start, end, decode, json=True) for start, end in fences),
        calls_in_thinking=calls_in_thinking,
    )


def decode_keyed_calls(body: str, _tools: Toolbox) -> list[ToolCall]:
    """Read a list of objects whose only key is the tool's name, as Apertus writes them."""
    return _read(body, _keyed)


def _keyed(value: Any) -> ToolCall:
    if not isinstance(value, dict) or len(value) != 1:
        raise BadCall("a call is an object with one key")
    [(name, arguments)] = value.items()
    return ToolCall(name=name, arguments=as_arguments(arguments))


HERMES = json_dialect(("<tool_call>", "</tool_call>"), calls_in_thinking=True)
APERTUS = json_dialect(("<|tools_prefix|>", "<|tools_suffix|>"), decode=decode_keyed_calls)
