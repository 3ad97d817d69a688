"""The same conversation in four dialects: what is sent, and what an answer says, streamed or not."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

import attrs
import httpx

from tests.integration.daemon import MODEL, Daemon

__all__ = ["DIALECTS", "Answer", "Dialect"]

Json = dict[str, Any]


@attrs.frozen
class Answer:
    """What a model has answered, in any dialect."""

    content: str
    thinking: str
    calls: tuple[tuple[str, str, Json], ...]
    """Id, name and arguments."""
    reason: str
    """Why it ended, in the dialect's word."""
    ours: Json
    """What it says under our own key, in any of its frames."""
    headers: httpx.Headers


class Dialect(ABC):
    """A route for conversations."""

    route: ClassVar[str]
    ended: ClassVar[str]
    """What it says of an answer that came to its end."""
    called: ClassVar[str]
    """What it says of an answer that calls a tool."""

    @abstractmethod
    def body(self, turns: list[Json], tools: list[Json], think: bool | None) -> Json:
        """Give what is sent; tools are functions, and turns those of `user` and others below."""

    def user(self, text: str) -> list[Json]:
        """Give the turns of a question."""
        return [{"role": "user", "content": text}]

    @abstractmethod
    def results(self, answer: Answer, text: str) -> list[Json]:
        """Give the turns of an answer with calls, and of what each call has given."""

    @abstractmethod
    def whole(self, found: Json) -> tuple[str, str, list[tuple[str, str, Json]], str]:
        """Read an answer: content, thinking, calls, and why it ended."""

    @abstractmethod
    def joined(self, frames: list[Json]) -> Json:
        """Join the frames of a stream to what would have come without it."""

    def ask(
        self,
        daemon: Daemon,
        turns: list[Json],
        tools: list[Json] | None = None,
        *,
        think: bool | None = None,
        stream: bool = False,
        **more: Any,
    ) -> Answer:
        """Ask; every answer must be one."""
        body = self.body(turns, tools or [], think) | {"stream": stream} | more
        said = daemon.post(self.route, **body)
        assert said.status_code == 200, said.text
        frames = list(_frames(said.text)) if stream else [said.json()]
        found = self.joined(frames) if stream else frames[0]
        content, thinking, calls, reason = self.whole(found)
        return Answer(content, thinking, tuple(calls), reason, _ours(frames), said.headers)


def _frames(text: str) -> Iterator[Json]:
    for line in text.splitlines():
        data = line.removeprefix("data: ")
        if data.startswith("{"):
            yield json.loads(data)


def _ours(frames: list[Json]) -> Json:
    found: Json = {}
    for frame in frames:
        found |= frame.get("response", frame).get("actorllm", {})
    return found


class Ollama(Dialect):
    route, ended, called = "/api/chat", "stop", "stop"

    def body(self, turns, tools, think):
        asked = {} if think is None else {"think": think}
        functions = [{"type": "function", "function": tool} for tool in tools]
        options = {"temperature": 0}
        return {"model": MODEL, "messages": turns, "tools": functions, "options": options} | asked

    def results(self, answer, text):
        calls = [{"function": {"name": n, "arguments": a}} for _, n, a in answer.calls]
        said = {"role": "assistant", "content": answer.content, "tool_calls": calls}
        named = [{"role": "tool", "tool_name": n, "content": text} for _, n, _ in answer.calls]
        return [said, *named]

    def whole(self, found):
        message = found["message"]
        calls = [
            (c["id"], c["function"]["name"], c["function"]["arguments"])
            for c in message.get("tool_calls", ())
        ]
        return message["content"], message.get("thinking", ""), calls, found["done_reason"]

    def joined(self, frames):
        parts = [frame["message"] for frame in frames]
        message = {
            "content": "".join(part["content"] for part in parts),
            "thinking": "".join(part.get("thinking", "") for part in parts),
            "tool_calls": [call for part in parts for call in part.get("tool_calls", ())],
        }
        return frames[-1] | {"message": message}


class Chat(Dialect):
    route, ended, called = "/v1/chat/completions", "stop", "tool_calls"

    def body(self, turns, tools, think):
        asked = {} if think is None else {"reasoning_effort": "high" if think else "none"}
        functions = [{"type": "function", "function": tool} for tool in tools]
        return {"model": MODEL, "messages": turns, "tools": functions, "temperature": 0} | asked

    def results(self, answer, text):
        calls = [
            {"id": i, "type": "function", "function": {"name": n, "arguments": json.dumps(a)}}
            for i, n, a in answer.calls
        ]
        said = {"role": "assistant", "content": answer.content, "tool_calls": calls}
        return [
            said,
            *({"role": "tool", "tool_call_id": i, "content": text} for i, _, _ in answer.calls),
        ]

    def whole(self, found):
        (choice,) = found["choices"]
        message = choice["message"]
        calls = [
            (c["id"], c["function"]["name"], json.loads(c["function"]["arguments"]))
            for c in message.get("tool_calls", ())
        ]
        return (
            message["content"] or "",
            message.get("reasoning", ""),
            calls,
            choice["finish_reason"],
        )

    def joined(self, frames):
        choices = [frame["choices"][0] for frame in frames]
        parts = [choice["delta"] for choice in choices]
        message = {
            "content": "".join(part.get("content") or "" for part in parts),
            "reasoning": "".join(part.get("reasoning") or "" for part in parts),
            "tool_calls": [call for part in parts for call in part.get("tool_calls") or ()],
        }
        reason = choices[-1]["finish_reason"]
        return {"choices": [{"message": message, "finish_reason": reason}]}


class Responses(Dialect):
    route, ended, called = "/v1/responses", "completed", "completed"

    def body(self, turns, tools, think):
        asked = {} if think is None else {"reasoning": {"effort": "high" if think else "none"}}
        functions = [{"type": "function", **tool} for tool in tools]
        return {
            "model": MODEL, "input": turns, "tools": functions, "temperature": 0, "store": False,
        } | asked  # fmt: skip

    def results(self, answer, text):
        turns = []
        for call, name, arguments in answer.calls:
            known = {"call_id": call, "name": name, "arguments": json.dumps(arguments)}
            turns += [{"type": "function_call", **known}]
            turns += [{"type": "function_call_output", "call_id": call, "output": text}]
        return turns

    def whole(self, found):
        content, thinking, calls = "", "", []
        for item in found["output"]:
            if item["type"] == "function_call":
                calls.append((item["call_id"], item["name"], json.loads(item["arguments"])))
            elif item["type"] == "reasoning":
                thinking += "".join(part["text"] for part in item["summary"])
            else:
                content += "".join(part["text"] for part in item["content"])
        return content, thinking, calls, found["status"]

    def joined(self, frames):
        return frames[-1]["response"]


class Messages(Dialect):
    route, ended, called = "/v1/messages", "end_turn", "tool_use"

    def body(self, turns, tools, think):
        kinds = {None: {}, True: {"type": "enabled", "budget_tokens": 1024}}
        asked = kinds.get(think, {"type": "disabled"})
        return {
            "model": MODEL,
            "max_tokens": 200,
            "messages": turns,
            "temperature": 0,
            "tools": [{"name": t["name"], "input_schema": t["parameters"]} for t in tools],
        } | ({"thinking": asked} if asked else {})

    def results(self, answer, text):
        uses = [{"type": "tool_use", "id": i, "name": n, "input": a} for i, n, a in answer.calls]
        given = [
            {"type": "tool_result", "tool_use_id": i, "content": text} for i, _, _ in answer.calls
        ]
        return [{"role": "assistant", "content": uses}, {"role": "user", "content": given}]

    def whole(self, found):
        content, thinking, calls = "", "", []
        for block in found["content"]:
            if block["type"] == "tool_use":
                calls.append((block["id"], block["name"], block["input"]))
            else:
                content += block.get("text", "")
                thinking += block.get("thinking", "")
        return content, thinking, calls, found["stop_reason"]

    def joined(self, frames):
        blocks: list[Json] = []
        reason = ""
        for frame in frames:
            if frame["type"] == "content_block_start":
                blocks.append(dict(frame["content_block"]))
            elif frame["type"] == "content_block_delta":
                _grow(blocks[-1], frame["delta"])
            elif frame["type"] == "message_delta":
                reason = frame["delta"]["stop_reason"]
        for block in blocks:
            if "written" in block:
                block["input"] = json.loads(block.pop("written"))
        return {"content": blocks, "stop_reason": reason}


def _grow(block: Json, delta: Json) -> None:
    if delta["type"] == "input_json_delta":
        block["written"] = block.get("written", "") + delta["partial_json"]
    elif delta["type"] in ("text_delta", "thinking_delta"):
        kind = delta["type"].removesuffix("_delta")
        block[kind] = block.get(kind, "") + delta[kind]


DIALECTS = (Ollama(), Chat(), Responses(), Messages())
