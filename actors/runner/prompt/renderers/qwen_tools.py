"""The tool texts and calls that Qwen and its relatives share."""

from collections.abc import Callable
from typing import Any

from actorllm.actors.runner.prompt.gojson import go_json, go_number
from actorllm.actors.runner.prompt.gotools import go_tool
from actorllm.protocol.chat import Tool, ToolCall

__all__ = ["XML_CALL_RULES", "spaced_tool", "spaced_tools", "xml_call", "xml_calls", "xml_tool"]

XML_CALL_RULES = """\
If you choose to call a function ONLY reply in the following format with NO suffix:

<tool_call>
<function=example_function_name>
<parameter=example_parameter_1>
value_1
</parameter>
<parameter=example_parameter_2>
This is the value for the second parameter
that can span
multiple lines
</parameter>
</function>
</tool_call>

<IMPORTANT>
Reminder:
- Function calls MUST follow the specified format: an inner <function=...></function> block must be \
nested within <tool_call></tool_call> XML tags
- Required parameters MUST be specified
- You may provide optional reasoning for your function call in natural language BEFORE the function \
call, but NOT after
- If there is no function call available, answer the question like normal with your current \
knowledge and do not tell the user about function calls
</IMPORTANT>"""


def spaced_tool(tool: Tool) -> str:
    """Return a tool as JSON with spaces."""
    return go_json(go_tool(tool), sort_nested=False, spaced=True)


def spaced_tools(tools: tuple[Tool, ...]) -> str:
    """Return tools as JSON with spaces, one a line."""
    return "\n".join(spaced_tool(tool) for tool in tools)


def _go_text(value: Any) -> str:
    """Return an argument as text: plain where it is plain, else JSON."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, (bool, dict, list)):
        return go_json(value, sort=True)
    return go_number(value)


def xml_call(call: ToolCall, text: Callable[[Any], str] = _go_text) -> str:
    """Return a call as `<tool_call>` with a tag for each argument.

    Args:
        call: what the model asked for.
        text: writes an argument.
    """
    values = "".join(
        f"<parameter={name}>\n{text(value)}\n</parameter>\n"
        for name, value in call.arguments.items()
    )
    return f"<tool_call>\n<function={call.name}>\n{values}</function>\n</tool_call>"


def xml_calls(calls: tuple[ToolCall, ...]) -> str:
    """Return calls, one after the other."""
    return "\n".join(map(xml_call, calls))


def xml_tool(
    tool: Tool,
    told: Callable[[dict[str, Any]], list[str]],
    as_json: Callable[[Any], str],
    *,
    strips: bool = False,
) -> str:
    """Return a tool in tags.

    Args:
        tool: what the client has declared.
        told: gives what is said of a parameter, a tag each.
        as_json: writes what is said of all of them.
        strips: leave white space around the description out.
    """
    function = go_tool(tool)["function"]
    schema = function["parameters"]
    lines = ["<function>", f"<name>{function['name']}</name>"]
    description = function.get("description")
    if description:
        lines.append(f"<description>{description.strip() if strips else description}</description>")
    lines.append("<parameters>")
    for name, part in schema["properties"].items():
        lines += ["<parameter>", f"<name>{name}</name>", *told(part), "</parameter>"]
    lines += [
        f"<{key}>{as_json(schema[key])}</{key}>" for key in ("required", "$defs") if schema.get(key)
    ]
    return "\n".join([*lines, "</parameters>", "</function>"])
