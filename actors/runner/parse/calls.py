"""From the text of a call to the call: what all formats share."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from actorllm.actors.runner.parse.schemas import property_of
from actorllm.protocol.chat import JsonObject, Tool, ToolCall

__all__ = [
    "MAX_CALL",
    "MAX_DEPTH",
    "BadCall",
    "Toolbox",
    "as_arguments",
    "call_of_object",
    "json_object",
    "load_json",
    "partly",
    "valid_text",
]

MAX_CALL = 1 << 20
"""Characters of one call; a longer one is shown as content."""

MAX_DEPTH = 64
"""Levels of lists and objects in the arguments of a call."""

_SURROGATE = re.compile(r"\\ud[89a-f]", re.IGNORECASE)
_NAME_KEYS = ("name", "tool_name", "tool", "function_name")
_ARGUMENT_KEYS = ("arguments", "parameters", "args", "input")


class BadCall(ValueError):  # noqa: N818 -- a verdict on text, no failure of the program
    """Text is not a call in the format at hand."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.read: list[ToolCall] = []
        """Calls of the same text that are complete."""


@contextmanager
def partly(calls: list[ToolCall]) -> Iterator[None]:
    """Let a `BadCall` that is raised inside carry `calls`, those read before it."""
    try:
        yield
    except BadCall as bad:
        bad.read = calls
        raise


class Toolbox:
    """The declared tools by name."""

    def __init__(self, tools: Sequence[Tool] = ()) -> None:
        self._schemas = dict(_schemas(tools))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._schemas)

    def __contains__(self, name: object) -> bool:
        return name in self._schemas

    def parameters(self, tool: str) -> JsonObject:
        """Give the JSON schema of a tool's arguments; it is empty if none is declared."""
        return self._schemas.get(tool, {})

    def schema(self, tool: str, parameter: str) -> JsonObject | None:
        """Give the JSON schema of one parameter, or None if it is not declared."""
        return property_of(self.parameters(tool), parameter)


def _schemas(tools: Iterable[Any]) -> Iterable[tuple[str, JsonObject]]:
    """Give each tool's name and parameters; declarations are as hostile as any input."""
    for tool in tools:
        function = tool.get("function") if isinstance(tool, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            continue
        parameters = function.get("parameters")
        declared = parameters if isinstance(parameters, dict) else {}
        yield function["name"], declared


def load_json(text: str) -> Any:
    """Decode strict JSON to values that can travel: finite numbers, valid Unicode.

    Raises:
        BadCall: the text is no such JSON, or is nested too deeply.
    """
    try:
        value = json.loads(
            text, parse_constant=_finite, parse_float=_finite, parse_int=_integer, strict=False
        )
    except (ValueError, RecursionError) as error:
        raise BadCall("the call is not valid JSON") from error
    if text.count("[") + text.count("{") > MAX_DEPTH and not _shallow(value, MAX_DEPTH):
        raise BadCall("the call is nested too deeply")
    return _mended(value) if _SURROGATE.search(text) else value


def _shallow(value: Any, depth: int) -> bool:
    """Whether a value has at most `depth` levels."""
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_shallow(item, depth - 1) for item in inner)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise BadCall(f"{text} is no JSON number")
    return number


def _integer(text: str) -> int | float:
    """Give an integer that fits 64 bits, as a frame can carry it, or the nearest float."""
    return int(text) if len(text) < 19 or -(2**63) <= int(text) < 2**64 else _finite(text)


def valid_text(text: str) -> str:
    """Join pairs of surrogates, and replace lone ones."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _mended(value: Any) -> Any:
    """Replace lone surrogates, which JSON can escape but UTF-8 cannot say."""
    if isinstance(value, str):
        return valid_text(value)
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    return value


def json_object(text: str) -> JsonObject:
    """Decode a JSON object, or raise `BadCall`."""
    value = load_json(text)
    if not isinstance(value, dict):
        raise BadCall("the call is not a JSON object")
    return value


def as_arguments(value: Any) -> JsonObject:
    """Give arguments written as an object, as an object in a string, or not at all."""
    if value is None:
        return {}
    if isinstance(value, str):
        return json_object(value) if value.strip() else {}
    if not isinstance(value, dict):
        raise BadCall("the arguments are not an object")
    return value


def call_of_object(value: Any) -> ToolCall:
    """Read a call from `{"name": …, "arguments": …}` or one of its dialects.

    Raises:
        BadCall: there is no name, or the arguments are no object.
    """
    if not isinstance(value, dict):
        raise BadCall("the call is not an object")
    inner = value.get("function")
    if isinstance(inner, dict):
        return call_of_object(inner)
    name = next((value[key] for key in _NAME_KEYS if isinstance(value.get(key), str)), inner)
    if not isinstance(name, str) or not name:
        raise BadCall("the call has no name")
    arguments = next((value[key] for key in _ARGUMENT_KEYS if key in value), None)
    return ToolCall(name=name, arguments=as_arguments(arguments))
