"""The recorded prompts in `tests/goldens/prompts` as values of ours."""

import base64
import functools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from actorllm.protocol.chat import ChatMessage, Tool, ToolCall

GOLDENS = Path(__file__).parents[1] / "goldens" / "prompts"
NOW = datetime(2031, 3, 7, 12, 30, tzinfo=UTC)


@functools.cache
def load(kind: str) -> Any:
    return json.loads((GOLDENS / f"{kind}.json").read_text("utf-8"))


def messages(name: str) -> list[ChatMessage]:
    """A conversation of `inputs.json`."""
    return [_message(raw) for raw in load("inputs")["messages"][name]]


def openai_messages(name: str) -> list[ChatMessage]:
    """A conversation of `openai.json`."""
    return [_openai_message(raw) for raw in load("openai")[name]]


def tools(case: dict[str, Any]) -> list[Tool]:
    return load("inputs")["tools"][case["tools"]] if "tools" in case else []


def undated(text: str) -> str:
    """Put placeholders where the date of today was printed."""
    yesterday = NOW - timedelta(days=1)
    text = text.replace(f"{NOW:%Y-%m-%d}", "{{DATE}}")
    return text.replace(f"{yesterday:%Y-%m-%d}", "{{YESTERDAY}}")


def _message(raw: dict[str, Any]) -> ChatMessage:
    return ChatMessage(
        role=raw["role"],
        content=raw["content"],
        thinking=raw.get("thinking", ""),
        images=tuple(base64.b64decode(image) for image in raw.get("images", ())),
        tool_calls=tuple(
            ToolCall(c["function"]["name"], c["function"]["arguments"], c.get("id", ""))
            for c in raw.get("tool_calls", ())
        ),
        tool_name=raw.get("tool_name", ""),
        tool_call_id=raw.get("tool_call_id", ""),
    )


def _openai_message(raw: dict[str, Any]) -> ChatMessage:
    return ChatMessage(
        role=raw["role"],
        content=raw["content"],
        thinking=raw.get("reasoning_content", ""),
        tool_calls=tuple(
            ToolCall(c["function"]["name"], json.loads(c["function"]["arguments"]), c["id"])
            for c in raw.get("tool_calls", ())
        ),
        tool_name=raw.get("name", ""),
        tool_call_id=raw.get("tool_call_id", ""),
    )
