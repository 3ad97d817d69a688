"""Models known only by their Go template: its thinking tags and the tag before its calls.

What stands between the tag and the call varies (a name, an array, an object keyed by the name), so
the decoder searches: a declared tool's name with its arguments, anywhere in the JSON value.
"""

import re
from typing import Any

from attrs import evolve

from actorllm.actors.runner.parse.bare_json import BareJsonParser
from actorllm.actors.runner.parse.calls import (
    BadCall,
    Toolbox,
    as_arguments,
    call_of_object,
    load_json,
)
from actorllm.actors.runner.parse.chain import Chain
from actorllm.actors.runner.parse.deepseek import DEEPSEEK
from actorllm.actors.runner.parse.fence import Fence
from actorllm.actors.runner.parse.fenced import Dialect, FencedParser, Opens, Spaces
from actorllm.actors.runner.parse.parsed import OutputParser
from actorllm.protocol.chat import ToolCall

__all__ = ["closing_of", "decode_bare_call", "generic_parser"]


def generic_parser(
    tools: Toolbox,
    *,
    think_open: str = "",
    think_close: str = "",
    tool_tag: str = "",
    template: str = "",
    in_thinking: bool = False,
) -> OutputParser:
    """Give the parser for a template's tags; an empty tag: the template has none.

    Args:
        tools: The request's tools; without any, calls are not looked for.
        think_open: The tag before thinking.
        think_close: The tag behind it.
        tool_tag: The text before a call; `{` or `[`: calls are bare JSON.
        template: The template, searched for the tag that closes a call.
        in_thinking: Whether the prompt ended with the opening tag.
    """
    bare = tool_tag in ("{", "[")
    dialect = _thinking_dialect(think_open, think_close)
    if tool_tag and tools.names and not bare:
        dialect = _with_calls(dialect, tool_tag, template)
    parser = FencedParser(dialect, tools, in_thinking=in_thinking)
    if bare and tools.names:
        return Chain(parser, BareJsonParser(decode_bare_call, tools, bracket=tool_tag))
    return parser


def _thinking_dialect(think_open: str, think_close: str) -> Dialect:
    """Give the dialect of thinking at the start of an answer, with its line ends as they are."""
    thinks = bool(think_open and think_close)
    return Dialect(
        think_open=think_open if thinks else "",
        think_close=think_close if thinks else "",
        opens=Opens.FIRST if thinks else Opens.NEVER,
        spaces=Spaces.KEEP,
        trim_thinking=False,
    )


def _with_calls(dialect: Dialect, tag: str, template: str) -> Dialect:
    """Add the calls to a dialect: those that `tag` opens, or those of a family with a mark each."""
    if any(fence.open in template for fence in DEEPSEEK.fences):
        return evolve(dialect, fences=DEEPSEEK.fences, ends=DEEPSEEK.ends)
    seed = tag[-1] if tag[-1] in "{[" else ""
    fence = Fence(tag, closing_of(tag, template), _decode_tagged_call, seed=seed, json=True)
    return evolve(dialect, fences=(fence,))


def closing_of(tag: str, template: str) -> str:
    """Give what closes the calls that `tag` opens, or nothing if the template does not say."""
    if "```" in tag:
        return "```"
    name = tag.rstrip("[{ \n")
    candidates = (name.replace("<|", "<|/"), name.replace("<", "</"))
    return next((each for each in candidates if each != name and each in template), "")


def _decode_tagged_call(body: str, tools: Toolbox) -> list[ToolCall]:
    """Read the calls behind a tag: JSON values, the name inside or before them."""
    start = re.search(r"[{\[]", body)
    if start is None:
        raise BadCall("there is no JSON in the call")
    value = load_json(body[start.start() :])
    if calls := _search(value, tools, sure=True):
        return calls
    name = _name_in(body[: start.start()], tools)
    if name and isinstance(value, dict):
        return [ToolCall(name=name, arguments=value)]
    raise BadCall("no declared tool is called")


def decode_bare_call(body: str, tools: Toolbox) -> list[ToolCall]:
    """Read the calls of a JSON value that may as well be no call at all."""
    if calls := _search(load_json(body), tools, sure=False):
        return calls
    raise BadCall("no declared tool is called")


def _name_in(text: str, tools: Toolbox) -> str:
    """Give the longest declared name that `text` contains as a word."""
    names = sorted(tools.names, key=len, reverse=True)
    return next((n for n in names if re.search(rf"(?<!\w){re.escape(n)}(?!\w)", text)), "")


def _search(value: Any, tools: Toolbox, *, sure: bool, depth: int = 8) -> list[ToolCall]:
    """Find calls of declared tools in a JSON value.

    Args:
        value: What was decoded.
        tools: The declared tools.
        sure: Whether a tag said that this is a call, so that arguments may be missing.
        depth: How many levels to look into.
    """
    if depth == 0 or not isinstance(value, dict | list):
        return []
    if isinstance(value, dict):
        if call := _direct(value, tools, sure=sure):
            return [call]
        value = list(value.values())
    return [call for item in value for call in _search(item, tools, sure=sure, depth=depth - 1)]


def _direct(value: dict[str, Any], tools: Toolbox, *, sure: bool) -> ToolCall | None:
    """Read an object that is a call itself, by its `name` or keyed by the tool's name."""
    try:
        call = call_of_object(value)
    except BadCall:
        call = None
    if call is not None and call.name in tools and (sure or call.arguments or len(value) > 1):
        return call
    keyed = [key for key in value if key in tools]
    if len(value) == 1 and keyed and isinstance(value[keyed[0]], dict):
        return ToolCall(name=keyed[0], arguments=as_arguments(value[keyed[0]]))
    return None
