"""Nemotron 3 Nano and 3.5 Nano: ChatML, tools in XML, values as Python writes them."""

import functools
from typing import Any

from attrs import frozen

from actorllm.actors.runner.prompt.gojson import go_json, go_number
from actorllm.actors.runner.prompt.images import tag_images, with_content
from actorllm.actors.runner.prompt.renderers.qwen_tools import XML_CALL_RULES, xml_call, xml_tool
from actorllm.actors.runner.prompt.renderers.request import Renderer, Request
from actorllm.actors.runner.prompt.renderers.turns import Turn, turns
from actorllm.protocol.chat import ChatMessage

__all__ = ["RENDERERS"]

_TOOLS = (
    "# Tools\n\nYou have access to the following functions:\n\n<tools>\n{tools}\n</tools>\n\n"
    + XML_CALL_RULES
)
_SWITCHES = ("/no_think", "/think")
_EFFICIENT = "\n\n{reasoning effort: efficient}"


@frozen
class _Style:
    """In what the versions differ."""

    switches: bool
    """`/think` and `/no_think` in messages turn thinking on and off."""
    thoughts: str
    """How thoughts are framed."""
    efforts: bool
    """Medium effort is asked for in the last question."""


def _nemotron(request: Request, *, style: _Style) -> str:
    messages = tag_images(request.messages, spaced=True)
    thinking = request.think is not False
    if style.switches:
        thinking, messages = _switched(messages, thinking=thinking)
    last_user = max((n for n, m in enumerate(messages) if m.role == "user"), default=-1)
    system_first = bool(messages) and messages[0].role == "system"
    system = messages[0].content if system_first else ""
    parts = [system] if system else []
    if request.tools:
        tools = (xml_tool(tool, _keys, _schema_json, strips=True) for tool in request.tools)
        parts.append(_TOOLS.format(tools="\n".join(tools)))
    out = ["<|im_start|>system\n" + "\n\n".join(parts) + "<|im_end|>\n"]
    for group in turns(messages):
        turn, message = group[0], group[0].message
        if message.role == "tool":
            out.append(_results(group))
        elif message.role == "assistant":
            out.append(_answer(message, style, past=turn.index < last_user))
        elif message.role == "user":
            effort = style.efforts and request.think == "medium" and turn.index == last_user
            text = message.content + (_EFFICIENT if effort else "")
            out.append(f"<|im_start|>user\n{text}<|im_end|>\n")
        elif turn.index or not system_first:
            out.append(f"<|im_start|>{message.role}\n{message.content}<|im_end|>\n")
    out.append("<|im_start|>assistant\n" + ("<think>\n" if thinking else "<think></think>"))
    return "".join(out)


def _switched(messages: list[ChatMessage], *, thinking: bool) -> tuple[bool, list[ChatMessage]]:
    """Return whether the model thinks after all switches, and the messages without them."""
    plain: list[ChatMessage] = []
    for message in messages:
        text = message.content
        if message.role in ("user", "system"):
            for switch in _SWITCHES:
                if switch in text:
                    thinking = switch == "/think"
                    text = text.replace(switch, "")
        plain.append(with_content(message, text.strip() if message.role == "user" else text))
    return thinking, plain


def _results(results: tuple[Turn, ...]) -> str:
    header = "<|im_start|>user\n" if results[0].index else ""
    texts = "".join(
        f"<tool_response>\n{turn.message.content}\n</tool_response>\n" for turn in results
    )
    return f"{header}{texts}<|im_end|>\n"


def _answer(message: ChatMessage, style: _Style, *, past: bool) -> str:
    text = message.content
    if message.thinking:
        text = style.thoughts.format(message.thinking) + text
    elif "<think>" not in text and "</think>" not in text:
        text = f"<think></think>{text}"
    if past and "<think>" in text and "</think>" in text:
        text = "<think></think>" + text.rsplit("</think>", maxsplit=1)[-1]
    calls = "".join(f"\n{xml_call(call, _value)}" for call in message.tool_calls)
    return f"<|im_start|>assistant\n{text.strip()}{calls}{chr(10) if calls else ''}<|im_end|>\n"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, (dict, list)):
        return go_json(value, sort=True, spaced=True)
    return go_number(value)


def _keys(schema: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for key in ("type", "description", "enum", "anyOf", "items", "properties", "required"):
        value = schema.get(key)
        if not value:
            continue
        if key == "type" and isinstance(value, list):
            value = "[" + ", ".join(f"'{name}'" for name in value) + "]"
        lines.append(f"<{key}>{value if isinstance(value, str) else _schema_json(value)}</{key}>")
    return lines


def _schema_json(value: Any) -> str:
    return go_json(value, sort_nested=False, spaced=True)


RENDERERS: dict[str, Renderer] = {
    "nemotron-3-nano": functools.partial(
        _nemotron,
        style=_Style(switches=True, thoughts="<think>\n{}\n</think>\n", efforts=False),
    ),
    "nemotron-3.5-nano": functools.partial(
        _nemotron, style=_Style(switches=False, thoughts="<think>\n{}</think>", efforts=True)
    ),
}
