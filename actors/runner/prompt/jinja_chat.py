"""A conversation in the form that Jinja templates expect: OpenAI's, with the habits of some models.

Some templates want past thoughts under another key or call arguments as text. Those are recognised
by what stands in the template, as llama.cpp does.
"""

import functools
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from attrs import frozen

from actorllm.actors.runner.prompt.errors import LimitExceeded, TemplateError
from actorllm.actors.runner.prompt.jinja import JinjaTemplate
from actorllm.actors.runner.prompt.limits import Budget
from actorllm.protocol.chat import ChatMessage, Think, Tool, ToolCall

__all__ = ["Habits", "effort_variables", "habits_of", "jinja_variables"]

_PROBE_SECONDS = 0.05
_THINKING_KEYS = ("message.thinking", 'message["thinking"]', "message['thinking']")
_RESULTS_WITH_CALLS = "message['tool_responses']"
_TOOL_ROLE = re.compile(r"""\brole\b['"\])]*\s*[!=]=\s*['"]tool['"]""")
_THINKING_BLOCKS = ("'type'] == 'thinking'", '"type"] == "thinking"', "type == 'thinking'")


@frozen
class Habits:
    """What a template expects beside OpenAI's form."""

    thinking_key: bool = False
    """Past thoughts are read from `thinking`, too, not from `reasoning_content` alone."""
    thinking_blocks: bool = False
    """Past thoughts are a part of the content, of the type `thinking`."""
    one_text_with_calls: bool = False
    """A message with calls may have content or thoughts, not both."""
    text_arguments: bool = False
    """Arguments of calls are JSON text, not objects."""
    results_with_calls: bool = False
    """Results of tools stand in the message with the calls, not in messages of their own."""


@functools.lru_cache(maxsize=32)
def habits_of(source: str) -> Habits:
    """Return the habits of the template `source`."""
    return Habits(
        thinking_key=any(key in source for key in _THINKING_KEYS),
        thinking_blocks=any(mark in source for mark in _THINKING_BLOCKS),
        one_text_with_calls="Cannot pass both content and thinking" in source,
        text_arguments=_wants_text_arguments(source),
        results_with_calls=_RESULTS_WITH_CALLS in source and not _TOOL_ROLE.search(source),
    )


def jinja_variables(
    messages: Iterable[ChatMessage],
    tools: Iterable[Tool],
    think: Think,
    *,
    now: datetime,
    habits: Habits,
    bos: str = "",
    eos: str = "",
) -> dict[str, Any]:
    """Return the variables that a chat template finds.

    `think` not set counts as on. Without tools, `tools` is not defined at all: some templates only
    ask whether it is.
    """
    variables: dict[str, Any] = {
        "messages": _messages(messages, habits),
        "add_generation_prompt": True,
        "enable_thinking": think is not False,
        "bos_token": bos,
        "eos_token": eos,
        "date_string": now.strftime("%d %b %Y"),
        "datetime": now.astimezone(UTC).strftime("%b %d %Y %H:%M:%S GMT"),
    }
    declared = list(tools)
    variables["functions"] = json.dumps(declared, ensure_ascii=False) if declared else ""
    if declared:
        variables["tools"] = declared
    if think is not None:
        variables["thinking"] = think is not False  # as DeepSeek, Granite and Kimi call it
    if isinstance(think, str):
        variables |= effort_variables(think)
    return variables


def effort_variables(level: str) -> dict[str, Any]:
    """Give a level of thinking under all names that templates have for it."""
    return dict.fromkeys(("reasoning_effort", "reasoning_strength", "thinking_effort"), level)


def _messages(messages: Iterable[ChatMessage], habits: Habits) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for message in messages:
        plain = _message(message, habits)
        if not (habits.results_with_calls and made and _put_into(made[-1], plain)):
            made.append(plain)
    return made


def _put_into(calling: dict[str, Any], message: dict[str, Any]) -> bool:
    """Put a result, or the answer that follows results, into the message with the calls."""
    calls, results = calling.get("tool_calls"), calling.setdefault("tool_responses", [])
    if calls and message["role"] == "tool":
        by_id = {call["id"]: call["function"]["name"] for call in calls if call["id"]}
        in_order = calls[min(len(results), len(calls) - 1)]["function"]["name"]
        name = message.get("name") or by_id.get(message.get("tool_call_id"), in_order)
        results.append({"name": name, "response": _value(message["content"])})
        return True
    if results and message["role"] == "assistant" and not message.get("tool_calls"):
        said = [text for text in (calling["content"], message["content"]) if text]
        calling["content"] = "\n".join(said)
        return True
    return False


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _message(message: ChatMessage, habits: Habits) -> dict[str, Any]:
    plain: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.thinking:
        _put_thoughts(plain, message, habits)
    if message.tool_calls:
        plain["tool_calls"] = [_call(call, habits) for call in message.tool_calls]
    if message.tool_name:
        plain["name"] = message.tool_name
    if message.tool_call_id:
        plain["tool_call_id"] = message.tool_call_id
    return plain


def _put_thoughts(plain: dict[str, Any], message: ChatMessage, habits: Habits) -> None:
    thoughts = message.thinking
    if habits.thinking_blocks:
        parts: list[dict[str, str]] = [{"type": "thinking", "thinking": thoughts}]
        if message.content:
            parts.append({"type": "text", "text": message.content})
        plain["content"] = parts
        return
    if habits.one_text_with_calls and message.tool_calls and message.content:
        thoughts = f"{thoughts}\n\n{message.content}"
        plain["content"] = ""
    plain["reasoning_content"] = thoughts
    if habits.thinking_key:
        plain["thinking"] = thoughts


def _call(call: ToolCall, habits: Habits) -> dict[str, Any]:
    arguments: Any = call.arguments
    if habits.text_arguments:
        arguments = json.dumps(arguments, ensure_ascii=False)
    function = {"name": call.name, "arguments": arguments}
    return {"id": call.id, "type": "function", "function": function}


def _wants_text_arguments(source: str) -> bool:
    """Try a call with an object: does the template fail, or print it as Python does?"""
    call = ToolCall(name="probe", arguments={"key": "value"}, id="call00000")
    messages = (ChatMessage("user", "go"), ChatMessage("assistant", "", tool_calls=(call,)))
    return not _renders_call(source, messages, Habits()) and _renders_call(
        source, messages, Habits(text_arguments=True)
    )


def _renders_call(source: str, messages: Iterable[ChatMessage], habits: Habits) -> bool:
    now = datetime(2000, 1, 1, tzinfo=UTC)
    try:
        text = JinjaTemplate(source).render(
            jinja_variables(messages, (), None, now=now, habits=habits),
            now,
            Budget(seconds=_PROBE_SECONDS),
        )
    except LimitExceeded:
        return True  # it will be stopped in earnest
    except TemplateError:
        return False
    return "{'key': 'value'}" not in text
