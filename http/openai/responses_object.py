"""The object that `/v1/responses` answers with, and its output items."""

import random
import secrets
import time
from typing import Any

from actorllm.http.facts import cached_tokens, thinking_tokens
from actorllm.http.openai.responses_body import ResponsesBody
from actorllm.protocol.chat import ToolCall
from actorllm.protocol.gojson import text
from actorllm.protocol.messages.generation import Done

__all__ = [
    "INCOMPLETE",
    "ResponseObject",
    "call_item",
    "message_item",
    "numbered",
    "reasoning_item",
    "sort",
    "text_part",
]

Json = dict[str, Any]

INCOMPLETE = "incomplete"
"""Status of an answer that was cut."""
_MOST = 1_000_000


def numbered(prefix: str) -> str:
    """Make up an identifier."""
    return f"{prefix}_{random.randrange(_MOST)}"  # noqa: S311 -- a label, no secret


def sort(value: Any) -> Any:
    """Sort the keys of objects, as Go's maps are written."""
    if isinstance(value, dict):
        return {key: sort(value[key]) for key in sorted(value)}
    return [sort(v) for v in value] if isinstance(value, list | tuple) else value


def reasoning_item(id_: str, thinking: str) -> Json:
    """The item of what was thought."""
    summary = [{"type": "summary_text", "text": thinking}]
    return {"id": id_, "type": "reasoning", "summary": summary, "encrypted_content": thinking}


def text_part(content: str) -> Json:
    """A part of a message."""
    return {"type": "output_text", "text": content, "annotations": [], "logprobs": []}


def message_item(id_: str, content: str, status: str = "completed") -> Json:
    """The item of what was said."""
    return {
        "id": id_,
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": [text_part(content)],
    }


def call_item(id_: str, call: ToolCall) -> Json:
    """The item of a call."""
    return {
        "id": id_,
        "type": "function_call",
        "status": "completed",
        "call_id": call.id,
        "name": call.name,
        "arguments": text(call.arguments),
    }


class ResponseObject:
    """A response: what was asked for, and by and by what was answered."""

    def __init__(self, body: ResponsesBody) -> None:
        self.id = f"resp_{secrets.token_hex(16)}"  # who knows it may read the answer
        self._body = body
        self._created = int(time.time())

    def write(self, output: list[Json], done: Done | None, *, status: str = "completed") -> Json:
        """Return the JSON object.

        Args:
            output: Items of the answer.
            done: How the generation ended; None: it goes on, or failed.
            status: `in_progress`, `completed`, `incomplete` or `failed`.
        """
        body = self._body
        return {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "completed_at": int(time.time()) if done is not None else None,
            "status": status,
            "incomplete_details": {"reason": "max_output_tokens"} if status == INCOMPLETE else None,
            "model": body.model,
            "previous_response_id": body.previous_response_id or None,
            "instructions": body.instructions or None,
            "output": output,
            "error": None,
            "tools": [self._tool(tool) for tool in body.tools],
            "tool_choice": "auto" if body.tool_choice is None else sort(body.tool_choice),
            "truncation": body.truncation or "disabled",
            "parallel_tool_calls": body.parallel_tool_calls is not False,
            "text": {"format": self._format()},
            "top_p": 1 if body.top_p is None else body.top_p,
            "presence_penalty": 0,
            "frequency_penalty": 0,
            "top_logprobs": 0,
            "temperature": 1 if body.temperature is None else body.temperature,
            "reasoning": self._reasoning(),
            "usage": _usage(done) if done is not None else None,
            "max_output_tokens": body.max_output_tokens,
            "max_tool_calls": None,
            "store": bool(body.store),
            "background": False,
            "service_tier": "default",
            "metadata": body.metadata if isinstance(body.metadata, dict) else {},
            "safety_identifier": None,
            "prompt_cache_key": None,
        }

    @staticmethod
    def _tool(tool: Any) -> Json:
        return {
            "type": tool.type,
            "name": tool.name,
            "description": tool.description,
            "strict": tool.strict,
            "parameters": sort(tool.parameters),
        } | ({"tools": sort(tool.tools)} if tool.tools else {})

    def _format(self) -> Json:
        wanted = self._body.text.format if self._body.text is not None else None
        if wanted is None or not wanted.type:
            return {"type": "text"}
        facts = {"name": wanted.name, "schema": wanted.schema, "strict": wanted.strict}
        return {"type": wanted.type} | {k: v for k, v in facts.items() if v is not None}

    def _reasoning(self) -> Json | None:
        wanted = self._body.reasoning
        if wanted is None:
            return None
        facts = {"effort": wanted.effort, "summary": wanted.summary}
        return {key: value for key, value in facts.items() if value} or None


def _usage(done: Done) -> Json:
    return {
        "input_tokens": done.prompt_eval_count,
        "output_tokens": done.eval_count,
        "total_tokens": done.prompt_eval_count + done.eval_count,
        "input_tokens_details": {"cached_tokens": cached_tokens(done)},
        "output_tokens_details": {"reasoning_tokens": thinking_tokens(done)},
    }
