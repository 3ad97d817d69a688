"""Gemma 4 and FunctionGemma: tools, calls and results in a notation of their own."""

import functools
from collections.abc import Iterable, Sequence
from typing import Any

from actorllm.actors.runner.prompt.gojson import go_number
from actorllm.actors.runner.prompt.gotools import go_tool, type_names
from actorllm.actors.runner.prompt.images import tag_images, with_content
from actorllm.actors.runner.prompt.renderers.request import Renderer, Request
from actorllm.actors.runner.prompt.renderers.turns import Turn, answered_call, turns
from actorllm.protocol.chat import ChatMessage, Tool, ToolCall

__all__ = ["BOS", "RENDERERS"]

BOS = "<bos>"
_QUOTE = '<|"|>'
_ESCAPE = "<escape>"
_EMPTY_THOUGHTS = "<|channel>thought\n<channel|>"


def _value(value: Any, quote: str) -> str:
    """Return an argument: keys bare and sorted, text in special quotes, whole numbers whole."""
    if isinstance(value, str):
        return f"{quote}{value}{quote}"
    if value is None:
        return "<nil>" if quote == _ESCAPE else "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return f"{{{_fields(value, quote)}}}"
    if isinstance(value, list):
        return f"[{','.join(_value(part, quote) for part in value)}]"
    return str(int(value)) if abs(value) < 1e21 and value == int(value) else go_number(value)


def _fields(values: dict[str, Any], quote: str) -> str:
    return ",".join(f"{name}:{_value(values[name], quote)}" for name in sorted(values))


def _call_names(messages: Iterable[ChatMessage]) -> dict[str, str]:
    return {call.id: call.name for m in messages for call in m.tool_calls if call.id}


# -- Gemma 4 --


def _gemma4(request: Request, *, closes_thoughts: bool) -> str:
    trimmed = [with_content(m, m.content.strip()) for m in request.messages]
    messages = tag_images(trimmed, spaced=True)
    thinking = bool(request.think)
    skip = 1 if messages and messages[0].role in ("system", "developer") else 0
    out = [BOS, _system(request, messages[:skip])]
    last_user = max((n for n, m in enumerate(messages) if m.role == "user"), default=-1)
    names = _call_names(messages)
    groups = list(turns(messages))[skip:]
    open_turn, before = False, ""
    for position, group in enumerate(groups):
        turn, message = group[0], group[0].message
        if message.role == "tool":
            continue  # folded into the turn that called
        if message.role != "assistant":
            out.append(f"<|turn>{message.role}\n{message.content}<turn|>\n")
            open_turn, before = False, ""
            continue
        if not open_turn:
            out.append("<|turn>model\n")
        results = _following(groups, position)
        text, before = _answer(message, results, names, thoughts=turn.index > last_user)
        # The next answer goes on in this turn.
        open_turn = _goes_on(groups, position) or (before != "" and not message.content)
        ended = message.content or not message.tool_calls
        out.append(text + ("<turn|>\n" if ended and not open_turn else ""))
    if not before:
        closed = _EMPTY_THOUGHTS if closes_thoughts and not thinking else ""
        out.append(f"<|turn>model\n{closed}")
    elif before == "result" and thinking:
        out.append("<|channel>thought\n")
    return "".join(out)


def _following(groups: Sequence[tuple[Turn, ...]], position: int) -> tuple[Turn, ...]:
    following = groups[position + 1] if position + 1 < len(groups) else ()
    return following if following and following[0].message.role == "tool" else ()


def _goes_on(groups: Sequence[tuple[Turn, ...]], position: int) -> bool:
    """Tell whether the next turn that is no result is the assistant's, too."""
    rest = (group[0].message.role for group in groups[position + 1 :])
    return next((role for role in rest if role != "tool"), "") == "assistant"


def _answer(
    message: ChatMessage, results: tuple[Turn, ...], names: dict[str, str], *, thoughts: bool
) -> tuple[str, str]:
    """Return an answer with the results of its calls, and with what it leaves the turn open."""
    text = ""
    if message.thinking and thoughts:
        text = f"<|channel>thought\n{message.thinking}\n<channel|>"
    text += "".join(
        f"<|tool_call>call:{call.name}{{{_fields(call.arguments, _QUOTE)}}}<tool_call|>"
        for call in message.tool_calls
    )
    if not message.tool_calls:
        return text + message.content, ""
    if not results:
        return f"{text}<|tool_response>{message.content}", "call"
    for turn in results:
        name = turn.message.tool_name or names.get(turn.message.tool_call_id, "")
        value = f"{_QUOTE}{turn.message.content}{_QUOTE}"
        text += f"<|tool_response>response:{name}{{value:{value}}}<tool_response|>"
    return text + message.content, "result"


def _system(request: Request, first: Sequence[ChatMessage]) -> str:
    if not (first or request.tools or request.think):
        return ""
    text = "<|think|>\n" if request.think else ""
    text += "".join(message.content for message in first)
    text += "".join(map(_declaration, request.tools))
    return f"<|turn>system\n{text}<turn|>\n"


def _declaration(tool: Tool) -> str:
    function = go_tool(tool)["function"]
    schema = function["parameters"]
    description = f"{_QUOTE}{function.get('description', '')}{_QUOTE}"
    shape = _object(schema)
    return f"<|tool>declaration:{function['name']}{{description:{description},parameters:{shape}}}<tool|>"


def _object(schema: dict[str, Any]) -> str:
    """Return the schema of an object: what it holds, what it must hold, its type."""
    parts: list[str] = []
    properties = schema.get("properties") or {}
    if properties:
        inner = ",".join(f"{name}:{_property(properties[name])}" for name in sorted(properties))
        parts.append(f"properties:{{{inner}}}")
    if schema.get("required"):
        parts.append(f"required:{_value(schema['required'], _QUOTE)}")
    if schema.get("type"):
        parts.append(f"type:{_type(schema)}")
    return f"{{{','.join(parts)}}}"


def _property(schema: dict[str, Any]) -> str:
    parts: list[str] = []
    if schema.get("description"):
        parts.append(f"description:{_QUOTE}{schema['description']}{_QUOTE}")
    if schema.get("enum") and type_names(schema) == ["string"]:
        parts.append(f"enum:{_value(schema['enum'], _QUOTE)}")
    if isinstance(schema.get("items"), dict):
        parts.append(f"items:{_items(schema['items'])}")
    inner = _object(schema)[1:-1]
    if inner:
        parts.append(inner)
    elif schema.get("anyOf"):
        parts.append(f"type:{_type(schema)}")
    return f"{{{','.join(parts)}}}"


def _items(value: Any, key: str = "") -> str:
    """Return the schema of a list's items, in which only the types change: to upper case."""
    if isinstance(value, dict):
        return f"{{{','.join(f'{name}:{_items(value[name], name)}' for name in sorted(value))}}}"
    if key == "type":
        upper = value.upper() if isinstance(value, str) else [str(v).upper() for v in value]
        return _value(upper, _QUOTE)
    return _value(value, _QUOTE)


def _type(schema: dict[str, Any]) -> str:
    options = schema.get("anyOf") or []
    names = type_names(schema) or [name for option in options for name in type_names(option)]
    upper = [name.upper() for name in names]
    text = upper[0] if len(upper) == 1 else "[" + ", ".join(f"'{name}'" for name in upper) + "]"
    return f"{_QUOTE}{text}{_QUOTE}"


# -- FunctionGemma --

_FUNCTIONS = "You can do function calling with the following functions:"


def _functiongemma(request: Request) -> str:
    messages = [with_content(m, m.content.strip()) for m in request.messages]
    skip = 1 if messages and messages[0].role in ("system", "developer") else 0
    system = "\n".join(m.content for m in messages[:skip] if m.content)
    if request.tools:
        declared = _FUNCTIONS + "".join(map(_function, request.tools))
        system = f"{system}\n{declared}" if system else declared
    out = [BOS, f"<start_of_turn>developer\n{system}<end_of_turn>\n" if system else ""]
    groups = list(turns(messages))[skip:]
    after_results, asked = False, list[ToolCall]()
    for position, group in enumerate(groups):
        message = group[0].message
        if message.role == "tool":
            out += [_response(turn.message, asked) for turn in group]
            after_results = True
            continue
        role = "model" if message.role == "assistant" else message.role
        calls = "".join(map(_function_call, message.tool_calls))
        end = "" if calls and _following(groups, position) else "<end_of_turn>\n"
        header = "" if after_results else f"<start_of_turn>{role}\n"
        out.append(f"{header}{message.content}{calls}{end}")
        after_results, asked = False, list(message.tool_calls)
    if not after_results:
        out.append("<start_of_turn>model\n")
    return "".join(out)


def _function_call(call: ToolCall) -> str:
    fields = _fields(call.arguments, _ESCAPE)
    return f"<start_function_call>call:{call.name}{{{fields}}}<end_function_call>"


def _response(message: ChatMessage, asked: list[ToolCall]) -> str:
    """Return a result with the name of the function that it answers."""
    call = answered_call(message, asked)
    name = message.tool_name or (call.name if call else "")
    value = f"{_ESCAPE}{message.content}{_ESCAPE}"
    return f"<start_function_response>response:{name}{{{value}}}<end_function_response>"


def _function(tool: Tool) -> str:
    function = go_tool(tool)["function"]
    schema = function["parameters"]
    parts: list[str] = []
    if schema["properties"]:
        inner = ",".join(
            f"{name}:{_parameter(schema['properties'][name])}"
            for name in sorted(schema["properties"])
        )
        parts.append(f"properties:{{{inner}}}")
    if schema.get("required"):
        parts.append(f"required:{_value(schema['required'], _ESCAPE)}")
    if schema.get("type"):
        parts.append(f"type:{_ESCAPE}{str(schema['type']).upper()}{_ESCAPE}")
    description = f"{_ESCAPE}{function.get('description', '')}{_ESCAPE}"
    return (
        f"<start_function_declaration>declaration:{function['name']}"
        f"{{description:{description},parameters:{{{','.join(parts)}}}}}<end_function_declaration>"
    )


def _parameter(schema: dict[str, Any]) -> str:
    text = f"description:{_ESCAPE}{schema.get('description', '')}{_ESCAPE}"
    names = type_names(schema)
    if names:
        text += f",type:{_ESCAPE}{names[0].upper()}{_ESCAPE}"
    return f"{{{text}}}"


RENDERERS: dict[str, Renderer] = {
    "functiongemma": _functiongemma,
    "gemma4": functools.partial(_gemma4, closes_thoughts=False),
    "gemma4-large": functools.partial(_gemma4, closes_thoughts=True),
    "gemma4-small": functools.partial(_gemma4, closes_thoughts=False),
}
