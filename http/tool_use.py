"""How a request of `/v1` may use its tools: which of them, whether it must, and how many at a time.

What a model must do is not left to its good will: its answer is then held to the JSON of a call
(`forced_format`), and read as one. That works for every family, whatever its own form of calls is.
"""

import secrets
from collections.abc import Sequence
from typing import Any

import attrs

from actorllm.http.frames import GenerationFrames
from actorllm.http.metrics import Metrics
from actorllm.protocol.chat import JsonObject, Tool, ToolCall
from actorllm.protocol.codec import evolve
from actorllm.protocol.errors import Refused
from actorllm.protocol.gojson import JsonError, loads
from actorllm.protocol.messages.generation import Chunk, Done, GenerateRequest

__all__ = ["CallingFrames", "Calls", "ToolUse"]


@attrs.frozen
class ToolUse:
    """What a request says of its tools."""

    forced: bool = False
    """The answer must be a call."""
    name: str = ""
    """Of this tool alone."""
    forbidden: bool = False
    parallel: bool = True
    """Several calls may be made at once."""

    def apply(self, request: GenerateRequest) -> GenerateRequest:
        """Let a request say the same in the words of the daemon.

        Raises:
            Refused: 400, the tool that it names is not among those that it brings.
        """
        if self.forbidden:
            return evolve(request, tools=())
        if not self.forced:
            return request
        tools = tuple(t for t in request.tools if not self.name or _name(t) == self.name)
        if not tools:
            named = f" {self.name[:100]!r}" if self.name else ""
            raise Refused.because(
                400, f"tool_choice wants a call of a tool{named} that is not in tools"
            )
        return evolve(request, tools=tools, format=_format(tools))


def _function(tool: Tool) -> JsonObject:
    function = tool.get("function")
    return function if isinstance(function, dict) else {}


def _name(tool: Tool) -> str:
    return str(_function(tool).get("name") or "")


def _format(tools: Sequence[Tool]) -> JsonObject:
    """The JSON Schema of a call of one of the tools."""
    shapes = [
        {
            "type": "object",
            "properties": {
                "name": {"const": _name(tool)},
                "arguments": _function(tool).get("parameters") or {"type": "object"},
            },
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for tool in tools
    ]
    return shapes[0] if len(shapes) == 1 else {"anyOf": shapes}


class Calls:
    """Keeps the calls of one answer to what the request allowed."""

    def __init__(self, use: ToolUse) -> None:
        self._use = use
        self._held: list[str] = []
        self._native = False
        """The model's own parser has read calls, though they were held to our form."""
        self._given = self._left_out = 0

    def keep(self, chunks: Sequence[Chunk]) -> list[Chunk]:
        """Return chunks as the client shall see them."""
        kept = [self._read(chunk) for chunk in chunks] if self._use.forced else list(chunks)
        return kept if self._use.parallel else [self._one(chunk) for chunk in kept]

    def finish(self, done: Done) -> Done:
        """Say at the end what was left out."""
        if not self._left_out:
            return done
        said = f"{self._left_out} more tool calls were left out, since one at a time is allowed"
        return evolve(done, notices=(*done.notices, said))

    def _read(self, chunk: Chunk) -> Chunk:
        """Hold the text of a call back until it is whole."""
        self._held.append(chunk.content)
        self._native = self._native or bool(chunk.tool_calls)
        chunk = evolve(chunk, content="", logprobs=())
        if chunk.done is None or self._native:
            return chunk
        written = "".join(self._held)
        call = _call(written)
        if call is None:  # it was cut: the client gets what there is
            return evolve(chunk, content=written)
        return evolve(chunk, tool_calls=(call,))

    def _one(self, chunk: Chunk) -> Chunk:
        if not chunk.tool_calls:
            return chunk
        allowed = chunk.tool_calls[: 0 if self._given else 1]
        self._given += len(allowed)
        self._left_out += len(chunk.tool_calls) - len(allowed)
        return evolve(chunk, tool_calls=allowed)


def _call(written: str) -> ToolCall | None:
    try:
        value = loads(written.encode())
    except (JsonError, OverflowError):
        return None
    if not isinstance(value, dict) or not isinstance(value.get("arguments"), dict):
        return None
    return ToolCall(str(value.get("name")), value["arguments"], f"call_{secrets.token_hex(4)}")


class CallingFrames(GenerationFrames):
    """Frames of a dialect whose requests say how tools may be used.

    Args:
        metrics: Told when the generation has ended.
        use: What this request says.
    """

    def __init__(self, metrics: Metrics, use: ToolUse) -> None:
        super().__init__(metrics)
        self._limits = Calls(use) if use.forced or not use.parallel else None

    def write(self, items: Sequence[Chunk]) -> bytes:
        return super().write(self.kept(items))

    def kept(self, items: Sequence[Chunk]) -> Sequence[Chunk]:
        """Return chunks as the client shall see them."""
        return items if self._limits is None else self._limits.keep(items)

    def finish(self, done: Done) -> dict[str, Any]:
        return super().finish(done if self._limits is None else self._limits.finish(done))
