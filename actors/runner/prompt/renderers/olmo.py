"""Olmo 3 and 3.1: ChatML with calls written as Python; the thinking ones know no tools."""

import functools

from attrs import frozen

from actorllm.actors.runner.prompt.gojson import go_json
from actorllm.actors.runner.prompt.renderers.qwen_tools import spaced_tool
from actorllm.actors.runner.prompt.renderers.request import Renderer, Request
from actorllm.protocol.chat import ChatMessage, ToolCall

__all__ = ["RENDERERS"]

_NO_FUNCTIONS = " You do not currently have access to any functions. <functions></functions>"
_FUNCTIONS = (
    " You are provided with function signatures within <functions></functions> XML tags. You may "
    "call one or more functions to assist with the user query. Output any function calls within "
    "<function_calls></function_calls> XML tags. Do not make assumptions about what values to plug "
    "into functions."
)
_OLMO = (
    "You are Olmo, a helpful AI assistant built by Ai2. Your date cutoff is December 2024, and your "
    "model weights are available at https://huggingface.co/allenai."
)


@frozen
class _Style:
    """In what the variants differ."""

    system: str
    thinks: bool = False


def _olmo(request: Request, *, style: _Style) -> str:
    out = [f"<|im_start|>system\n{_system(request, style)}<|im_end|>\n"]
    for index, message in enumerate(request.messages):
        last = index == len(request.messages) - 1
        if message.role == "user":
            out.append(f"<|im_start|>user\n{message.content}<|im_end|>\n")
        elif message.role == "tool" and not style.thinks:
            out.append(f"<|im_start|>environment\n{message.content}<|im_end|>\n")
        elif message.role == "assistant":
            out.append(_answer(message, style, is_open=last))
    if style.thinks:
        return "".join([*out, "<|im_start|>assistant\n<think>"])
    if not _continues(request):
        out.append("<|im_start|>assistant\n")
    return "".join(out)


def _system(request: Request, style: _Style) -> str:
    given = next((m.content for m in request.messages if m.role == "system"), None)
    if style.thinks:
        return style.system if given is None else given + _NO_FUNCTIONS
    if not request.tools:
        return style.system + _NO_FUNCTIONS if given is None else given
    tools = ", ".join(spaced_tool(tool) for tool in request.tools)
    text = style.system + _FUNCTIONS if given is None else given
    return f"{text}<functions>[{tools}]</functions>"


def _answer(message: ChatMessage, style: _Style, *, is_open: bool) -> str:
    calls = "" if style.thinks else "\n".join(map(_call, message.tool_calls))
    if calls:
        calls = f"<function_calls>{calls}</function_calls>"
    end = "" if is_open and not calls and not style.thinks else "<|im_end|>\n"
    return f"<|im_start|>assistant\n{message.content}{calls}{end}"


def _call(call: ToolCall) -> str:
    arguments = call.arguments
    pairs = ", ".join(f"{name}={go_json(arguments[name], sort=True)}" for name in sorted(arguments))
    return f"{call.name}({pairs})"


def _continues(request: Request) -> bool:
    """Tell whether the last message is an answer that the model shall go on with."""
    last = request.messages[-1] if request.messages else None
    return last is not None and (
        last.role == "assistant" and bool(last.content) and not last.tool_calls
    )


RENDERERS: dict[str, Renderer] = {
    "olmo3": functools.partial(
        _olmo, style=_Style("You are a helpful function-calling AI assistant.")
    ),
    "olmo3.1": functools.partial(_olmo, style=_Style(_OLMO)),
    "olmo3-think": functools.partial(_olmo, style=_Style(_OLMO, thinks=True)),
    "olmo3-32b-think": functools.partial(
        _olmo, style=_Style("You are a helpful AI assistant.", thinks=True)
    ),
}
