"""Laguna and Poolside v1: turns in plain XML tags."""

from collections.abc import Callable

from actorllm.actors.runner.prompt.renderers.arg_tags import tagged_call
from actorllm.actors.runner.prompt.renderers.qwen_tools import spaced_tools
from actorllm.actors.runner.prompt.renderers.request import Renderer, Request
from actorllm.actors.runner.prompt.renderers.turns import split_thoughts
from actorllm.protocol.chat import ChatMessage

__all__ = ["BOS", "RENDERERS"]

BOS = "〈|EOS|〉"
_SYSTEM = (
    "You are a helpful, conversationally-fluent assistant made by Poolside. You are here to be "
    "helpful to users through natural language conversations."
)
_TOOLS = """

### Tools

You may call functions to assist with the user query.
All available function signatures are listed below:
<available_tools>
{tools}
</available_tools>"""
_CALL_RULES = """For each function call, return an unescaped XML-like object with function name and \
arguments within '<tool_call>' and '</tool_call>' tags, like here:
{thoughts}<tool_call>function-name
<arg_key>argument-key</arg_key>
<arg_value>value-of-argument-key</arg_value>
</tool_call>"""
_THINK_FIRST = "Wrap your thinking in '<think>', '</think>' tags, followed by a function call. "


def _laguna(request: Request) -> str:
    out = [BOS]
    system = _system(request)
    if request.tools:
        first = _THINK_FIRST if request.think else ""
        thoughts = "<think> your thoughts here </think>\n" if request.think else ""
        system += f"\n\n{first}{_CALL_RULES.format(thoughts=thoughts)}"
    if system:
        out.append(f"<system>\n\n{system}\n</system>\n")
    out += _turns(request, lambda tag, text: f"<{tag}>\n{text}\n</{tag}>\n", _laguna_answer)
    if not request.messages or request.messages[-1].role != "assistant":
        out.append("<assistant>\n" + ("<think>" if request.think else "</think>"))
    elif out:
        out[-1] = out[-1].removesuffix("</assistant>\n")
    return "".join(out)


def _poolside(request: Request) -> str:
    system = _system(request)

    def answer(message: ChatMessage) -> str:
        thoughts = f"<think>{message.thinking}</think>" if request.think else "</think>"
        calls = "".join(tagged_call(call, spaced=True) for call in message.tool_calls)
        return f"<assistant>{thoughts}{message.content}{calls}</assistant>\n"

    out = [BOS, f"<system>{system}</system>\n" if system else ""]
    out += _turns(request, lambda tag, text: f"<{tag}>{text}</{tag}>\n", answer)
    out.append("<assistant>" + ("<think>" if request.think else "</think>"))
    return "".join(out)


def _system(request: Request) -> str:
    """Return the text of the first system message, or the default, and the tools."""
    first = request.messages[0] if request.messages else None
    text = first.content.rstrip() if first is not None and first.role == "system" else _SYSTEM
    return text + (_TOOLS.format(tools=spaced_tools(request.tools)) if request.tools else "")


def _turns(
    request: Request, framed: Callable[[str, str], str], answer: Callable[[ChatMessage], str]
) -> list[str]:
    out: list[str] = []
    tags = {"system": "system", "tool": "tool_response", "user": "user"}
    for index, message in enumerate(request.messages):
        if message.role == "assistant":
            out.append(answer(message))
        elif message.role in tags and (index or message.role != "system"):
            out.append(framed(tags[message.role], message.content))
    return out


def _laguna_answer(message: ChatMessage) -> str:
    thoughts, content = split_thoughts(message)
    block = f"<think>\n{thoughts.strip()}\n</think>\n" if thoughts.strip() else "</think>\n"
    text = f"{content.strip()}\n" if content.strip() else ""
    calls = "".join(tagged_call(call, spaced=True, line="\n") for call in message.tool_calls)
    return f"<assistant>\n{block}{text}{calls}</assistant>\n"


RENDERERS: dict[str, Renderer] = {"laguna": _laguna, "poolside-v1": _poolside}
