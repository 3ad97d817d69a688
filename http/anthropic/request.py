"""The body of `/v1/messages` and its translation."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from actorllm.http.tool_use import ToolUse
from actorllm.http.wire import base64
from actorllm.http.wire.binding import Mismatch, body, found
from actorllm.http.wire.extras import ExtrasBody, with_extras
from actorllm.http.wire.kinds import check_parameters
from actorllm.protocol.chat import ChatMessage, JsonObject, Think, Tool, ToolCall
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import GenerateRequest

__all__ = [
    "MessagesBody",
    "conversation_request",
    "estimate_tokens",
    "messages_request",
]

_EFFORTS = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "max"}
_CHOICES = {
    "": ToolUse(),
    "auto": ToolUse(held=True),
    "any": ToolUse(forced=True),
    "tool": ToolUse(forced=True),
    "none": ToolUse(forbidden=True),
}
_CHARACTERS_PER_TOKEN = 4


@body("anthropic.MessageParam")
class MessageParamBody:
    """A message."""

    role: str = ""
    content: Any = None


@body("anthropic.Tool")
class ToolBody:
    """A tool."""

    type: str = ""
    name: str = ""
    description: str = ""
    input_schema: Any = None


@body("anthropic.ThinkingConfig")
class ThinkingBody:
    """Whether to think."""

    type: str = ""
    budget_tokens: int = 0


@body("anthropic.ToolChoice")
class ToolChoiceBody:
    """How tools may be used."""

    type: str = ""
    name: str = ""
    disable_parallel_tool_use: bool = False


@body("anthropic.OutputConfig")
class OutputBody:
    """How hard to think."""

    effort: str = ""


@body("anthropic.MessagesRequest")
class MessagesBody(ExtrasBody):
    """Body of `/v1/messages`."""

    model: str = ""
    max_tokens: int = 0
    messages: tuple[MessageParamBody, ...] = ()
    system: Any = None
    stream: bool = False
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: tuple[str, ...] = ()
    tools: tuple[ToolBody, ...] = ()
    tool_choice: ToolChoiceBody | None = None
    thinking: ThinkingBody | None = None
    output_config: OutputBody | None = None

    @property
    def tool_use(self) -> ToolUse:
        """What it says of the tools.

        Raises:
            Refused: 400, it makes no sense.
        """
        choice = self.tool_choice or ToolChoiceBody()
        if choice.type not in _CHOICES or (choice.type == "tool" and not choice.name):
            raise Refused.because(
                400, 'tool_choice.type must be "auto", "any", "none", or "tool" with a name'
            )
        return attrs.evolve(
            _CHOICES[choice.type],
            name=choice.name if choice.type == "tool" else "",
            parallel=not choice.disable_parallel_tool_use,
        )


def messages_request(body: MessagesBody) -> GenerateRequest:
    """Translate a body of `/v1/messages`.

    Raises:
        Refused: 400, something is missing or makes no sense.
    """
    if not body.model:
        raise Refused.because(400, "model is required")
    if body.max_tokens <= 0:
        raise Refused.because(400, "max_tokens is required and must be positive")
    return conversation_request(body)


def conversation_request(body: MessagesBody) -> GenerateRequest:
    """Translate a body that need not say how long the answer may be.

    Raises:
        Refused: 400, something is missing or makes no sense.
    """
    if not body.model:
        raise Refused.because(400, "model is required")
    if not body.messages:
        raise Refused.because(400, "messages is required")
    system = _system(body.system)
    messages = [ChatMessage("system", system)] if system else []
    for message in body.messages:
        messages += _messages(message)
    request = GenerateRequest(
        model=body.model,
        kind="chat",
        messages=tuple(messages),
        tools=tuple(_tool(tool) for tool in body.tools if not tool.type.startswith("web_search")),
        options=_options(body),
        think=_think(body),
        think_budget=_budget(body.thinking),
        drop_unsupported_thinking=True,
    )
    return with_extras(body, body.tool_use.apply(request))


def _options(body: MessagesBody) -> JsonObject:
    options: JsonObject = {"num_predict": body.max_tokens} if body.max_tokens else {}
    for key in ("temperature", "top_p", "top_k"):
        if getattr(body, key) is not None:
            options[key] = getattr(body, key)
    if body.stop_sequences:
        options["stop"] = list(body.stop_sequences)
    return options


def _think(body: MessagesBody) -> Think:
    if body.thinking is not None and body.thinking.type in {"enabled", "disabled"}:
        return body.thinking.type == "enabled"
    effort = body.output_config.effort if body.output_config is not None else ""
    return _EFFORTS.get(effort)


def _budget(thinking: ThinkingBody | None) -> int | None:
    """Give the tokens that thoughts may have; 0 and less: nothing was said."""
    if thinking is None or thinking.type != "enabled" or thinking.budget_tokens <= 0:
        return None
    return thinking.budget_tokens


def _tool(tool: ToolBody) -> Tool:
    try:
        check_parameters(tool.input_schema)
    except Mismatch as e:
        raise Refused.because(
            400, f'invalid input_schema for tool "{tool.name[:100]}": {e}'
        ) from None
    function: JsonObject = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function | {"parameters": tool.input_schema or {}}}


def _system(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(_text(b) for b in value if isinstance(b, dict) and b.get("type") == "text")
    return ""


def _messages(message: MessageParamBody) -> Iterator[ChatMessage]:
    role = message.role.lower()
    content = message.content
    if isinstance(content, str):
        yield ChatMessage(role, content)
        return
    if not isinstance(content, list) or not all(isinstance(b, dict) for b in content):
        wrong = (
            content
            if not isinstance(content, list)
            else next(b for b in content if not isinstance(b, dict))
        )
        raise Refused.because(
            400,
            f"json: cannot unmarshal {found(wrong)} into Go struct field "
            "MessagesRequest.messages of type []anthropic.ContentBlock",
        )
    # Results answer the calls of the message before, so they come first.
    yield from (_result(b) for b in content if b.get("type") == "tool_result")
    texts = [_text(b) for b in content if b.get("type") == "text"]
    thinking = "".join(str(b.get("thinking") or "") for b in content if b.get("type") == "thinking")
    images = tuple(_image(b) for b in content if b.get("type") == "image")
    calls = tuple(_call(b) for b in content if b.get("type") == "tool_use")
    if texts or thinking or images or calls:
        yield ChatMessage(role, "".join(texts), thinking, images, calls)


def _text(block: Mapping[str, Any]) -> str:
    value = block.get("text")
    return value if isinstance(value, str) else ""


def _call(block: Mapping[str, Any]) -> ToolCall:
    for key in ("id", "name"):
        if not isinstance(block.get(key), str) or not block[key]:
            raise Refused.because(400, f"tool_use block missing required '{key}' field")
    given = block.get("input")
    return ToolCall(block["name"], given if isinstance(given, dict) else {}, block["id"])


def _result(block: Mapping[str, Any]) -> ChatMessage:
    content = block.get("content")
    call_id = block.get("tool_use_id")
    text = content if isinstance(content, str) else ""
    images: tuple[bytes, ...] = ()
    if isinstance(content, list):
        parts = [b for b in content if isinstance(b, dict)]
        text = "".join(_text(b) for b in parts if b.get("type") == "text")
        images = tuple(_image(b) for b in parts if b.get("type") == "image")
    return ChatMessage(
        "tool", text, images=images, tool_call_id=call_id if isinstance(call_id, str) else ""
    )


def _image(block: Mapping[str, Any]) -> bytes:
    source = block.get("source")
    if not isinstance(source, dict):
        raise Refused.because(400, "invalid image source")
    if source.get("type") != "base64":
        raise Refused.because(
            400,
            f"invalid image source type: {str(source.get('type'))[:100]}. "
            "Only base64 images are supported.",
        )
    try:
        return base64.decode(source["data"] if isinstance(source.get("data"), str) else "")
    except base64.Base64Error as e:
        raise Refused.because(400, f"invalid base64 image data: {e}") from None


def estimate_tokens(body: MessagesBody) -> int:
    """Guess the tokens of a request before they have been counted."""
    size = _size(body.system)
    size += sum(len(m.role) + _size(m.content) for m in body.messages)
    size += sum(
        len(t.name) + len(t.description) + len(json.dumps(t.input_schema, ensure_ascii=False))
        for t in body.tools
    )
    return size // _CHARACTERS_PER_TOKEN


def _size(content: Any) -> int:
    if isinstance(content, str):
        return len(content.encode("utf-8", "replace"))
    if not isinstance(content, list):
        return 0
    return sum(
        len(value.encode("utf-8", "replace"))
        for block in content
        if isinstance(block, dict)
        for key in ("text", "thinking", "content")
        if isinstance(value := block.get(key), str)
    )
