"""GLM 4.7 and GLM-OCR: no closed turns, results of tools as observations."""

from actorllm.actors.runner.prompt.images import tag_images
from actorllm.actors.runner.prompt.renderers.arg_tags import tagged_call
from actorllm.actors.runner.prompt.renderers.qwen_tools import spaced_tools
from actorllm.actors.runner.prompt.renderers.request import Renderer, Request
from actorllm.actors.runner.prompt.renderers.turns import turns
from actorllm.protocol.chat import ChatMessage

__all__ = ["RENDERERS"]

_START = "[gMASK]<sop>"
_TOOLS = """<|system|>
# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{tools}
</tools>

For each function call, output the function name and arguments within the following XML format:
<tool_call>{{function-name}}<arg_key>{{arg-key-1}}</arg_key><arg_value>{{arg-value-1}}</arg_value>\
<arg_key>{{arg-key-2}}</arg_key><arg_value>{{arg-value-2}}</arg_value>...</tool_call>"""


def _glm(request: Request) -> str:
    out = [_START, _tools(request)]
    for group in turns(request.messages):
        message = group[0].message
        if message.role in ("system", "user"):
            out.append(f"<|{message.role}|>{message.content}")
        elif message.role == "assistant":
            thoughts = f"<think>{message.thinking}</think>" if message.thinking else "</think>"
            calls = "".join(map(tagged_call, message.tool_calls))
            out.append(f"<|assistant|>{thoughts}{message.content}{calls}")
        elif message.role == "tool":
            results = (f"<tool_response>{t.message.content}</tool_response>" for t in group)
            out.append("<|observation|>" + "".join(results))
    out.append("<|assistant|>" + ("</think>" if request.think is False else "<think>"))
    return "".join(out)


def _tools(request: Request) -> str:
    return _TOOLS.format(tools=spaced_tools(request.tools)) if request.tools else ""


def _glm_ocr(request: Request) -> str:
    off = request.think is False
    out = [_START, _tools(request)]
    for group in turns(tag_images(request.messages, spaced=True)):
        message = group[0].message
        if message.role == "system":
            out.append(f"<|system|>\n{message.content}\n")
        elif message.role == "user":
            switch = "/nothink" if off and not message.content.endswith("/nothink") else ""
            out.append(f"<|user|>\n{message.content}{switch}")
        elif message.role == "assistant":
            out.append(_ocr_answer(message))
        elif message.role == "tool":
            results = (f"<tool_response>\n{t.message.content}\n</tool_response>\n" for t in group)
            out.append("<|observation|>\n" + "\n".join(results))
    out.append("<|assistant|>\n" + ("<think></think>\n" if off else ""))
    return "".join(out)


def _ocr_answer(message: ChatMessage) -> str:
    content = message.content.strip()
    parts = [f"<think>{message.thinking.strip()}</think>", *([content] if content else [])]
    parts += map(tagged_call, message.tool_calls)
    return "<|assistant|>\n" + "".join(f"{part}\n" for part in parts)


RENDERERS: dict[str, Renderer] = {"glm-4.7": _glm, "glm-ocr": _glm_ocr}
