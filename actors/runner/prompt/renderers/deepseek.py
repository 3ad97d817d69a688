"""DeepSeek V3.1 and Cogito: full-width special tokens, results of tools outside of any turn."""

import json

from actorllm.actors.runner.prompt.gojson import go_json
from actorllm.actors.runner.prompt.gotools import go_tool
from actorllm.actors.runner.prompt.renderers.request import Renderer, Request
from actorllm.actors.runner.prompt.renderers.turns import Turn, turns
from actorllm.protocol.chat import Tool, ToolCall

__all__ = ["BOS", "RENDERERS"]

BOS = "<｜begin▁of▁sentence｜>"
_EOS = "<｜end▁of▁sentence｜>"
_USER, _ASSISTANT = "<｜User｜>", "<｜Assistant｜>"

# -- DeepSeek V3.1 --

_TOOLS = """

## Tools
You have access to the following tools:
{tools}
IMPORTANT: ALWAYS adhere to this exact format for tool use:
<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>tool_call_name<｜tool▁sep｜>tool_call_arguments\
<｜tool▁call▁end｜>{{{{additional_tool_calls}}}}<｜tool▁calls▁end｜>

Where:

- `tool_call_name` must be an exact match to one of the available tools
- `tool_call_arguments` must be valid JSON that strictly follows the tool's Parameters Schema
- For multiple tool calls, chain them directly without separators or spaces
"""


def _deepseek(request: Request) -> str:
    out = [BOS, "\n\n".join(m.content for m in request.messages if m.role == "system")]
    if request.tools:
        out.append(_TOOLS.format(tools="".join(map(_tool, request.tools))))
    asked = False
    for group in turns(request.messages):
        message = group[0].message
        if message.role == "user":
            out.append(f"{_USER}{message.content}")
            asked = True
        elif message.role == "assistant":
            out.append(_answer(group[0], asked=asked, thinking=bool(request.think)))
            asked = False
        elif message.role == "tool":
            out += [
                f"<｜tool▁output▁begin｜>{turn.message.content}<｜tool▁output▁end｜>"
                for turn in group
            ]
            asked = False
    if asked:
        out.append(_ASSISTANT + ("<think>" if request.think else "</think>"))
    return "".join(out)


def _tool(tool: Tool) -> str:
    function = go_tool(tool)["function"]
    schema = go_json(function["parameters"], sort_nested=False)
    description = function.get("description", "")
    return f"\n### {function['name']}\nDescription: {description}\n\nParameters: {schema}\n"


def _answer(turn: Turn, *, asked: bool, thinking: bool) -> str:
    message = turn.message
    opening = ""
    if asked:
        opening = _ASSISTANT + ("<think>" if thinking and turn.last else "</think>")
    content = message.content.split("</think>", maxsplit=1)[-1]
    calls = "".join(
        f"<｜tool▁call▁begin｜>{call.name}<｜tool▁sep｜>{go_json(call.arguments)}<｜tool▁call▁end｜>"
        for call in message.tool_calls
    )
    if calls:
        calls = f"<｜tool▁calls▁begin｜>{calls}<｜tool▁calls▁end｜>"
    return f"{opening}{content}{calls}{_EOS}"


# -- Cogito --

_COGITO_SYSTEM = (
    "You are Cogito, an AI assistant created by Deep Cogito, which is an AI research lab based in "
    "San Francisco."
)


def _cogito(request: Request) -> str:
    out = [BOS, _cogito_system(request)]
    for group in turns(request.messages):
        message = group[0].message
        if message.role == "user":
            out.append(f"{_USER}{message.content}{_ASSISTANT}")
        elif message.role == "assistant":
            out.append(f"{message.content}{_cogito_calls(message.tool_calls)}{_EOS}")
        elif message.role == "tool":
            results = "\n".join(
                f"<｜tool▁output▁begin｜>{turn.message.content}<｜tool▁output▁end｜>"
                for turn in group
            )
            out.append(f"<｜tool▁outputs▁begin｜>{results}<｜tool▁outputs▁end｜>")
    if not request.messages or request.messages[-1].role != "user":
        out.append(_ASSISTANT)
    if request.think:
        out.append("<think>\n")
    return "".join(out)


def _cogito_system(request: Request) -> str:
    text = "Enable deep thinking subroutine.\n\n" if request.think else ""
    text += _COGITO_SYSTEM
    first = request.messages[0] if request.messages else None
    if first is not None and first.role == "system" and first.content:
        text += f"\n\n{first.content}" + ("\n\n" if request.think else "")
    if request.tools:
        tools = "".join(f"```json\n{_indented(tool)}\n```\n" for tool in request.tools)
        text += f"\nYou have the following functions available:\n{tools}"
    return text


def _indented(tool: Tool) -> str:
    plain = go_json(go_tool(tool), sort_nested=False, escape=False)
    text = json.dumps(json.loads(plain), ensure_ascii=False, indent=4)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _cogito_calls(calls: tuple[ToolCall, ...]) -> str:
    if not calls:
        return ""
    texts = "\n".join(
        f"<｜tool▁call▁begin｜>function<｜tool▁sep｜>{call.name}\n"
        f"```json\n{go_json(call.arguments)}\n```<｜tool▁call▁end｜>"
        for call in calls
    )
    return f"<｜tool▁calls▁begin｜>{texts}<｜tool▁calls▁end｜>"


RENDERERS: dict[str, Renderer] = {"cogito": _cogito, "deepseek3.1": _deepseek}
