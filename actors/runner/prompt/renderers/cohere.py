"""Cohere's Command: turns between special tokens, tools and results as JSON.

The line breaks and indents are those of the template that the model was trained with.
"""

from itertools import count

from actorllm.actors.runner.prompt.gojson import go_json
from actorllm.actors.runner.prompt.gotools import go_tool
from actorllm.actors.runner.prompt.renderers.request import Renderer, Request
from actorllm.actors.runner.prompt.renderers.turns import Turn, answered_call, turns
from actorllm.protocol.chat import ChatMessage, Tool, ToolCall

__all__ = ["RENDERERS"]

_START, _END = "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>"
_SYSTEM, _USER, _CHATBOT = "<|SYSTEM_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>"
_BEFORE_CALLS = "\n            \n                "
_RESULT = """\
    {{
        "tool_call_id": "{id}",
        "results": {{

            \n            "0": {{"content": {content}}}

        }},
        "is_error": null
    }}"""


def _cohere(request: Request) -> str:
    messages = request.messages
    skip = 1 if messages and messages[0].role == "system" else 0
    out = [_system(request, messages[0].content if skip else "")]
    numbers = _Numbers()
    for group in list(turns(messages))[skip:]:
        turn, message = group[0], group[0].message
        if message.role == "tool":
            out.append(_results(group, numbers))
        elif message.role == "assistant" and message.tool_calls:
            out.append(_calls(message, numbers))
        elif message.role == "assistant":
            end = "" if turn.last else f"<|END_TEXT|>{_END}"
            text = f"{_thoughts(message)}<|START_TEXT|>{message.content}"
            out.append(f"{_START}{_CHATBOT}{text}{end}")
        elif message.role in ("system", "user"):
            speaker = _USER if message.role == "user" else _SYSTEM
            out.append(_text(speaker, message.content))
    last = messages[-1] if messages else None
    if last is None or last.role != "assistant" or last.tool_calls:
        closed = "<|END_THINKING|>" if request.think is False else ""
        out.append(f"{_START}{_CHATBOT}<|START_THINKING|>{closed}")
    return "".join(out)


def _text(speaker: str, text: str) -> str:
    return f"{_START}{speaker}<|START_TEXT|>{text}<|END_TEXT|>{_END}"


def _system(request: Request, text: str) -> str:
    tools = ",\n\n".join(f"\n    {_tool(tool)}" for tool in request.tools)
    section = f"# Available Tools\n```json\n[\n{tools}\n\n\n]\n```"
    return _text(_SYSTEM, f"{text}\n\n\n\n{section}" if text else section)


def _tool(tool: Tool) -> str:
    function = go_tool(tool, description=True)["function"]
    return go_json(function | {"responses": None}, sort_nested=False, spaced=True)


def _thoughts(message: ChatMessage) -> str:
    return f"<|START_THINKING|>{message.thinking}<|END_THINKING|>" if message.thinking else ""


class _Numbers:
    """Calls are numbered from 0 on through the conversation, results refer to the numbers."""

    def __init__(self) -> None:
        self._next = count()
        self._asked: list[ToolCall] = []
        self._numbers: list[tuple[ToolCall, int]] = []

    def ask(self, calls: tuple[ToolCall, ...]) -> list[int]:
        self._asked = list(calls)
        self._numbers = [(call, next(self._next)) for call in calls]
        return [number for _, number in self._numbers]

    def of_result(self, result: ChatMessage) -> str:
        """Return the number of the call that `result` answers; empty if there is none."""
        call = answered_call(result, self._asked)
        return next((str(number) for asked, number in self._numbers if asked is call), "")


def _calls(message: ChatMessage, numbers: _Numbers) -> str:
    texts = ",\n".join(
        f'\n    {{"tool_call_id": "{number}", "tool_name": "{call.name}", '
        f'"parameters": {go_json(call.arguments, spaced=True)}}}'
        for number, call in zip(numbers.ask(message.tool_calls), message.tool_calls, strict=True)
    )
    actions = f"<|START_ACTION|>[\n{texts}\n\n]<|END_ACTION|>"
    return f"{_START}{_CHATBOT}{_BEFORE_CALLS}{_thoughts(message)}{actions}{_END}"


def _results(results: tuple[Turn, ...], numbers: _Numbers) -> str:
    texts = ",\n".join(
        _RESULT.format(id=numbers.of_result(turn.message), content=go_json(turn.message.content))
        for turn in results
    )
    return f"{_START}{_SYSTEM}<|START_TOOL_RESULT|>[\n{texts}\n\n]<|END_TOOL_RESULT|>{_END}"


RENDERERS: dict[str, Renderer] = {"cohere": _cohere}
