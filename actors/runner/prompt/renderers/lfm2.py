"""LFM2: ChatML with calls written as a Python list."""

import functools

from actorllm.actors.runner.prompt.gojson import go_json
from actorllm.actors.runner.prompt.gotools import go_tool
from actorllm.actors.runner.prompt.images import tag_images
from actorllm.actors.runner.prompt.renderers.request import Renderer, Request
from actorllm.protocol.chat import ChatMessage, Tool, ToolCall

__all__ = ["BOS", "RENDERERS"]

BOS = "<|startoftext|>"


def _lfm2(request: Request, *, thinks: bool) -> str:
    messages = tag_images(request.messages, spaced=True)
    skip = 1 if messages and messages[0].role == "system" else 0
    system = "\n".join(m.content for m in messages[:skip] if m.content)
    if request.tools:
        tools = f"List of tools: <|tool_list_start|>[{', '.join(map(_tool, request.tools))}]"
        system = "\n".join(filter(None, (system, f"{tools}<|tool_list_end|>")))
    out = [BOS, f"<|im_start|>system\n{system}<|im_end|>\n" if system else ""]
    newest = max((n for n, m in enumerate(messages) if m.role == "assistant"), default=-1)
    for index, message in enumerate(messages[skip:], skip):
        content = message.content
        if message.role == "assistant":
            kept = index == newest or (thinks and bool(request.think))
            content = _answer(message, thoughts=thinks, kept=kept)
        elif message.role == "tool":
            content = f"<|tool_response_start|>{content}<|tool_response_end|>"
        is_open = message.role == "assistant" and index == len(messages) - 1
        out.append(f"<|im_start|>{message.role}\n{content}{'' if is_open else '<|im_end|>'}")
        out.append("" if is_open else "\n")
    if not messages or messages[-1].role != "assistant":
        out.append("<|im_start|>assistant\n")
    return "".join(out)


def _answer(message: ChatMessage, *, thoughts: bool, kept: bool) -> str:
    """Return an answer; its thoughts only where they are `kept`."""
    content = message.content
    if not kept and "</think>" in content:
        content = content.rsplit("</think>", maxsplit=1)[-1].strip()
    block = f"<think>{message.thinking}</think>" if message.thinking and thoughts and kept else ""
    if message.tool_calls:
        calls = ",".join(map(_call, message.tool_calls))
        block += f"<|tool_call_start|>[{calls}]<|tool_call_end|>" + ("\n" if content else "")
    return block + content


def _call(call: ToolCall) -> str:
    values = (
        f"{name}={go_json(call.arguments[name], sort=True, spaced=True, escape=False)}"
        for name in sorted(call.arguments)
    )
    return f"{call.name}({','.join(values)})"


def _tool(tool: Tool) -> str:
    return go_json(go_tool(tool)["function"], sort_nested=False, spaced=True, escape=False)


RENDERERS: dict[str, Renderer] = {
    "lfm2": functools.partial(_lfm2, thinks=False),
    "lfm2-thinking": functools.partial(_lfm2, thinks=True),
}
