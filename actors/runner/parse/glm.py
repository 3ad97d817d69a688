"""GLM 4.x, Laguna and others: `name<arg_key>k</arg_key><arg_value>v</arg_value>` in `<tool_call>`.

Models forget tags here, and what they mean stays plain, so a call that has its closing tag is read
with one of a pair missing.
"""

import re

from actorllm.actors.runner.parse.calls import BadCall, Toolbox, json_object
from actorllm.actors.runner.parse.coerce import coerce
from actorllm.actors.runner.parse.fence import Fence
from actorllm.actors.runner.parse.fenced import Dialect, Opens
from actorllm.actors.runner.parse.hermes import decode_json_call
from actorllm.protocol.chat import JsonObject, ToolCall

__all__ = ["GLM", "LAGUNA"]

_TAG = re.compile(r"</?arg_(?:key|value)>")
_PAIR = re.compile(r"</arg_key>\s*<arg_value>|</arg_key>|<arg_value>")
_REST = re.compile(r"\s*\Z")
_NAME = re.compile(r"[^\s<>{}\"]+")


def decode_glm(body: str, tools: Toolbox) -> list[ToolCall]:
    """Read one call; arguments may also be a JSON object behind the name, or all of it JSON."""
    body = body.strip()
    if body.startswith(("{", "[")):
        return decode_json_call(body, tools)
    tag = _TAG.search(body)
    head = body[: tag.start() if tag else len(body)]
    name = _NAME.match(head)
    if name is None:
        raise BadCall("the call has no name")
    rest = head[name.end() :].strip()
    if tag is None:
        return [ToolCall(name=name.group(), arguments=json_object(rest) if rest else {})]
    arguments = _arguments(rest + body[tag.start() :], name.group(), tools)
    return [ToolCall(name=name.group(), arguments=arguments)]


def _arguments(text: str, tool: str, tools: Toolbox) -> JsonObject:
    """Read the pairs of `text`, in which a key ends where its value begins."""
    arguments: JsonObject = {}
    at = 0
    while not _REST.match(text, at):
        pair = _PAIR.search(text, at)
        if pair is None:
            raise BadCall("an argument has no value")
        key = text[at : pair.start()].replace("<arg_key>", "").strip()
        end = _value_end(text, pair.end())
        value = text[pair.end() : end].strip()
        closed = text.startswith("</arg_value>", end)
        if not key or _TAG.search(key) or not (closed or value):
            raise BadCall("an argument has no key or no value")
        arguments[key] = coerce(value, tools.schema(tool, key))
        at = end + (len("</arg_value>") if closed else 0)
    return arguments


def _value_end(text: str, start: int) -> int:
    """Where a value ends: at its closing tag, or where it is missing at the next key."""
    close = text.find("</arg_value>", start)
    if close >= 0:
        return close
    key = text.find("<arg_key>", start)
    return key if key >= 0 else len(text)


def _decode_user(body: str, tools: Toolbox) -> list[ToolCall]:
    """Read a call in `<user>`, as Laguna sometimes writes; the tool must be a declared one."""
    calls = decode_glm(body, tools)
    if any(call.name not in tools for call in calls):
        raise BadCall("no declared tool is called")
    return calls


_CALL = Fence("<tool_call>", "</tool_call>", decode_glm, self_ending=False)

GLM = Dialect(think_open="<think>", think_close="</think>", opens=Opens.FIRST, fences=(_CALL,))

LAGUNA = Dialect(
    think_open="<think>",
    think_close="</think>",
    opens=Opens.ANYWHERE,
    fences=(_CALL, Fence("<user>", "</user>", _decode_user, self_ending=False)),
    calls_in_thinking=True,
    trim_start=True,
)
