"""Qwen3-Coder, Qwen3-VL, Qwen3.5, Qwen3.8 and Ornith: ChatML with tools and thoughts."""

import functools
from typing import Any

from attrs import frozen

from actorllm.actors.runner.prompt.errors import TemplateError
from actorllm.actors.runner.prompt.gojson import go_json
from actorllm.actors.runner.prompt.images import tag_images
from actorllm.actors.runner.prompt.renderers.qwen_tools import (
    XML_CALL_RULES,
    spaced_tools,
    xml_calls,
    xml_tool,
)
from actorllm.actors.runner.prompt.renderers.request import Renderer, Request
from actorllm.actors.runner.prompt.renderers.turns import Turn, last_query, split_thoughts, turns
from actorllm.protocol.chat import ChatMessage, Think, ToolCall

__all__ = ["RENDERERS"]

_EMPTY_THOUGHTS = "<think>\n\n</think>\n\n"


def _results(results: tuple[Turn, ...], *, trim: bool = False) -> str:
    texts = (turn.message.content.strip() if trim else turn.message.content for turn in results)
    blocks = "\n".join(f"<tool_response>\n{text}\n</tool_response>" for text in texts)
    return f"<|im_start|>user\n{blocks}<|im_end|>\n"


# -- Qwen3-VL --

_VL_TOOLS = """\
# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{tools}
</tools>

For each function call, return a json object with function name and arguments within \
<tool_call></tool_call> XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""


def _qwen3_vl(request: Request, *, thinks: bool) -> str:
    thinking = thinks if request.think is None else bool(request.think)
    messages = tag_images(request.messages, spaced=True)
    out: list[str] = []
    if request.tools:
        tools = _VL_TOOLS.format(tools=spaced_tools(request.tools))
        system = ""
        if messages and messages[0].role == "system":
            system = f"{messages[0].content}\n\n"
        out.append(f"<|im_start|>system\n{system}{tools}<|im_end|>\n")
    query = last_query(messages)
    for group in turns(messages):
        message = group[0].message
        if message.role == "tool":
            out.append(_results(group))
        elif message.role == "assistant":
            out.append(_vl_answer(group[0], thinking=thinking and group[0].index > query))
        elif message.role == "user" or (
            message.role == "system" and (group[0].index or not request.tools)
        ):
            out.append(f"<|im_start|>{message.role}\n{message.content}<|im_end|>\n")
    if messages and messages[-1].role != "assistant":
        out.append("<|im_start|>assistant\n" + ("<think>\n" if thinking else ""))
    return "".join(out)


def _vl_answer(turn: Turn, *, thinking: bool) -> str:
    message = turn.message
    text = message.content
    if thinking and (turn.last or message.thinking):
        closed = f"\n</think>\n\n{text}" if text else ""
        text = f"<think>\n{message.thinking.strip()}{closed}"
    calls = "\n".join(map(_json_call, message.tool_calls))
    gap = "\n" if calls and message.content else ""
    end = "" if turn.last else "<|im_end|>\n"
    return f"<|im_start|>assistant\n{text}{gap}{calls}{end}"


def _json_call(call: ToolCall) -> str:
    arguments = go_json(call.arguments, spaced=True)
    return f'<tool_call>\n{{"name": "{call.name}", "arguments": {arguments}}}\n</tool_call>'


# -- Qwen3.5, Ornith, Qwen3.8 --

_TOOLS = """\
# Tools

You have access to the following functions:

<tools>
{tools}
</tools>

{rules}"""
_EFFORTS = {
    "low": (
        "Reasoning effort is set to low. Keep your thinking brief and focused, moving directly to "
        "the conclusion without unnecessary elaboration."
    ),
    "xhigh": (
        "Reasoning effort is set to xhigh. Please think carefully through the task, validate key "
        "assumptions, consider plausible alternatives, and prioritize correctness, consistency, "
        "and clarity in the final answer."
    ),
}


@frozen
class _Style:
    """In what the newer ones differ."""

    keeps_thoughts: bool = False
    """Past thoughts stay, in a block that may be empty."""
    folds_system: bool = False
    """All system and developer messages go to the front, with the effort."""


def _qwen3_5(request: Request, *, style: _Style) -> str:
    messages = tag_images(request.messages, spaced=True)
    thinking = request.think is not False
    out = [_system(request, messages, style)]
    query = last_query(messages)
    for group in turns(messages):
        turn, message = group[0], group[0].message
        if message.role == "tool":
            out.append(_results(group, trim=True))
        elif message.role == "assistant":
            shown = style.keeps_thoughts or (thinking and turn.index > query)
            out.append(_answer(turn, style, shown=shown))
        elif message.role == "user" or (
            message.role == "system"
            and not style.folds_system
            and (turn.index or not request.tools)
        ):
            out.append(f"<|im_start|>{message.role}\n{message.content.strip()}<|im_end|>\n")
    if messages and messages[-1].role != "assistant":
        out.append("<|im_start|>assistant\n" + ("<think>\n" if thinking else _EMPTY_THOUGHTS))
    return "".join(out)


def _system(request: Request, messages: list[ChatMessage], style: _Style) -> str:
    parts: list[str] = []
    if request.tools:
        parts.append(_TOOLS.format(tools=spaced_tools(request.tools), rules=XML_CALL_RULES))
    if style.folds_system:
        if not any(message.role == "user" for message in messages):
            raise TemplateError("the conversation has no message of a user", status=400)
        parts.insert(0, _effort(request.think))
        parts += [m.content.strip() for m in messages if m.role in ("system", "developer")]
    elif request.tools and messages and messages[0].role == "system":
        parts.append(messages[0].content.strip())
    text = "\n\n".join(filter(None, parts))
    return f"<|im_start|>system\n{text}<|im_end|>\n" if text else ""


def _effort(think: Think) -> str:
    if think in (None, "high", "max"):
        return _EFFORTS["xhigh"]
    return _EFFORTS["low"] if think == "low" else ""


def _answer(turn: Turn, style: _Style, *, shown: bool) -> str:
    message = turn.message
    thoughts, content = message.thinking, message.content
    if not style.folds_system:
        thoughts, content = split_thoughts(message)
    text = content.strip()
    calls = xml_calls(message.tool_calls)
    gap = "\n\n" if calls and text else ""
    block = f"<think>\n{thoughts.strip()}\n</think>\n\n" if shown else ""
    end = "" if turn.last else "<|im_end|>\n"
    return f"<|im_start|>assistant\n{block}{text}{gap}{calls}{end}"


# -- Qwen3-Coder --

_CODER_SYSTEM = (
    "You are Qwen, a helpful AI assistant that can interact with a computer to solve tasks."
)


def _qwen3_coder(request: Request) -> str:
    system = next((m.content for m in request.messages if m.role == "system" and m.content), "")
    rest = [m for m in request.messages if m.role != "system"]
    if request.tools:
        tools = "\n".join(xml_tool(tool, _xml_keys, _xml_value) for tool in request.tools)
        system = f"{system or _CODER_SYSTEM}\n\n{_TOOLS.format(tools=tools, rules=XML_CALL_RULES)}"
    out = [f"<|im_start|>system\n{system}<|im_end|>\n"] if system else []
    for group in turns(rest):
        message = group[0].message
        if message.role == "tool":
            out.append(_results(group))
        elif message.role == "assistant" and message.tool_calls:
            gap = "\n" if message.content else ""
            calls = xml_calls(message.tool_calls)
            out.append(f"<|im_start|>assistant\n{message.content}{gap}\n{calls}<|im_end|>\n")
        else:
            prefill = message.role == "assistant" and group[0].last
            end = "" if prefill else "<|im_end|>\n"
            out.append(f"<|im_start|>{message.role}\n{message.content}{end}")
    if rest and rest[-1].role != "assistant":
        out.append("<|im_start|>assistant\n")
    return "".join(out)


def _xml_keys(known: dict[str, Any]) -> list[str]:
    """Return what a parameter says about itself: type and description, then all else as JSON."""
    keys = ("type", "description", "anyOf", "items", "enum", "properties", "required")
    return [f"<{key}>{_xml_value(known[key])}</{key}>" for key in keys if known.get(key)]


def _xml_value(value: Any) -> str:
    return value if isinstance(value, str) else go_json(value, sort=True)


RENDERERS: dict[str, Renderer] = {
    "ornith": functools.partial(_qwen3_5, style=_Style(keeps_thoughts=True)),
    "qwen3-coder": _qwen3_coder,
    "qwen3-vl-instruct": functools.partial(_qwen3_vl, thinks=False),
    "qwen3-vl-thinking": functools.partial(_qwen3_vl, thinks=True),
    "qwen3.5": functools.partial(_qwen3_5, style=_Style()),
    "qwen3.8": functools.partial(_qwen3_5, style=_Style(keeps_thoughts=True, folds_system=True)),
}
