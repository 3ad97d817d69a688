"""Hermes and Qwen: `<tool_call>{"name": …, "arguments": {…}}</tool_call>`; JSON calls in general."""

import re
from collections.abc import Iterator
from typing import Any

from actorllm.actors.runner.parse.calls import (
    BadCall,
    Toolbox,
    call_of_object,
    load_json,
    partly,
)
from actorllm.actors.runner.parse.fenced import Dialect, Fence, Opens
from actorllm.actors.runner.parse.scan import JsonEnd
from actorllm.protocol.chat import ToolCall

__all__ = ["HERMES", "HERMES_CALLS", "decode_json_call"]

_BETWEEN = re.compile(r"[\s,\[\]]*")


def decode_json_call(body: str, _tools: Toolbox) -> list[ToolCall]:
    """Read one call, a list of them, or several in a row.

    Of a list that is broken or cut off, the calls that are complete come with the `BadCall`.
    """
    calls: list[ToolCall] = []
    bad: BadCall | None = None
    for value in _values(body):
        try:
            if isinstance(value, BadCall):
                raise value
            calls.append(call_of_object(value))
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


HERMES_CALLS = Fence("<tool_call>", "</tool_call>", decode_json_call, json=True)

HERMES = Dialect(
    think_open="<think>",
    think_close="</think>",
    opens=Opens.FIRST,
    fences=(HERMES_CALLS,),
    calls_in_thinking=True,
)
