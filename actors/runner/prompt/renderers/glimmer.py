"""Glimmer: messages with recipients; thoughts go to `self`, calls to their function."""

import re

from actorllm.actors.runner.prompt.gojson import go_json, go_number
from actorllm.actors.runner.prompt.gotools import go_tool
from actorllm.actors.runner.prompt.images import tag_images
from actorllm.actors.runner.prompt.renderers.request import Renderer, Request
from actorllm.protocol.chat import ChatMessage, Think, Tool, ToolCall

__all__ = ["BOS", "RENDERERS"]

BOS = "<|begin_of_text|>"
_SYSTEM = (
    "You are a helpful AI assistant.\nKnowledge cutoff: 2026-01-04.\nCurrent date: {:%Y-%m-%d}."
)
_TOOLS = """\
In this environment you have access to a set of tools you can use to answer the user's question.

You can invoke a function by writing a "<atem:function_calls>" block like the following:
<atem:function_calls>
<atem:invoke name="$FUNCTION_NAME">
<atem:parameter name="$PARAMETER_NAME">$PARAMETER_VALUE</atem:parameter>
...
</atem:invoke>
</atem:function_calls>

String and scalar parameters should be specified as is, while lists and objects should use JSON \
format. Note that spaces for string values are not stripped. The output is not expected to be \
valid XML and is parsed with regular expressions.
Here are the functions available in JSONSchema format:
// Tool metadata
{spaces}
// Function schemas
{functions}

Here's an example of how to call a function in the tool set:
(If the tool namespace is not specified, invoke the function directly as `example_function_name` \
rather than `example_tool_name.example_function_name`)

to=example_tool_name.example_function_name

<atem:function_calls>
<atem:invoke name="example_tool_name.example_function_name">
<atem:parameter name="example_parameter_1">value_1</atem:parameter>
<atem:parameter name="example_parameter_2">This is the value for the second parameter
that can span
"multiple" lines
</atem:parameter>
</atem:invoke>
</atem:function_calls>"""
_EFFORT = re.compile(r"(reasoning )(effort)", re.IGNORECASE)


def _glimmer(request: Request) -> str:
    messages = tag_images(request.messages, spaced=True)
    names = {call.id: call.name for m in messages for call in m.tool_calls if call.id}
    out = [BOS]
    if not any(message.role == "system" for message in messages):
        out.append(_system(request, _SYSTEM.format(request.now)))
    for index, message in enumerate(messages):
        if message.role == "system":
            out.append(_system(request, message.content))
        elif message.role == "user":
            out.append(f"<|start|>user<|message|>{message.content}<|eot|>")
        elif message.role == "assistant":
            goes_on = index + 1 < len(messages) and messages[index + 1].role == "assistant"
            out.append(_answer(message, goes_on=goes_on))
        elif message.role == "tool":
            known = names.get(message.tool_call_id, message.tool_call_id)
            name = message.tool_name or known
            output = f'<tool_output name="{name}">\n{message.content}\n</tool_output>'
            out.append(f"<|start|>tool {name}<|message|>{output}<|eot|>")
    return "".join([*out, "<|start|>assistant"])


def _system(request: Request, text: str) -> str:
    text = _EFFORT.sub(_strength, text)
    parts = [text]
    if "reasoning strength" not in text.lower():
        parts.append(f"Reasoning strength: {_level(request.think)}.")
    spaces = list(dict.fromkeys(_function_name(tool).split(".")[0] for tool in request.tools))
    if request.tools:
        parts.append(_tools(request.tools, spaces))
    recipients = ", ".join(['"self"', *(f'"{space}.*"' for space in spaces), '"user"'])
    parts.append(f"# Valid recipients: {recipients}.")
    text = "\n\n".join(parts)
    return f"<|start|>system<|message|>{text}<|eot|>"


def _strength(found: re.Match[str]) -> str:
    """Return `reasoning strength` in the case in which a system message wrote `effort`."""
    effort = found[2]
    if effort.isupper():
        return f"{found[1]}STRENGTH"
    return found[1] + ("Strength" if effort[0].isupper() else "strength")


def _level(think: Think) -> str:
    if isinstance(think, str):
        return think
    return "none" if think is False else "high"


def _function_name(tool: Tool) -> str:
    return str(go_tool(tool)["function"]["name"])


def _tools(tools: tuple[Tool, ...], spaces: list[str]) -> str:
    described: list[dict[str, object]] = [{"name": space, "description": ""} for space in spaces]
    functions = [go_tool(tool, description=True)["function"] for tool in tools]
    return _TOOLS.format(spaces=_lines(described), functions=_lines(functions))


def _lines(values: list[dict[str, object]]) -> str:
    return "\n".join(
        go_json(value, sort_nested=False, spaced=True, escape=False) for value in values
    )


def _answer(message: ChatMessage, *, goes_on: bool) -> str:
    text = ""
    if message.thinking:
        text = f"<|start|>assistant to=self<|message|>{message.thinking}<|eom|>"
    if message.tool_calls:
        calls = "<|eom|>".join(map(_call, message.tool_calls))
        return f"{text}{calls}{'<|eom|>' if goes_on else '<|eot|>'}"
    if message.content or not message.thinking:
        text += f"<|start|>assistant to=user<|message|>{message.content}<|eot|>"
    return text


def _call(call: ToolCall) -> str:
    values = "".join(
        f'<atem:parameter name="{name}">{_value(value)}</atem:parameter>\n'
        for name, value in call.arguments.items()
    )
    invoked = f'<atem:invoke name="{call.name}">\n{values}</atem:invoke>'
    calls = f"<atem:function_calls>\n{invoked}\n</atem:function_calls>"
    return f"<|start|>assistant to={call.name}<|message|>{calls}"


def _value(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, (bool, dict, list)):
        return go_json(value, sort=True, spaced=True, escape=False)
    return go_number(value) if isinstance(value, (int, float)) else str(value)


RENDERERS: dict[str, Renderer] = {"glimmer": _glimmer}
