"""The body of `/v1/responses` and its translation."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from actorllm.http.openai.parts import (
    arguments_of,
    image_of_url,
    sampling,
    system_role,
    think_of_effort,
)
from actorllm.http.tool_use import ToolUse, tool_use
from actorllm.http.wire.binding import body, found, given
from actorllm.http.wire.extras import ExtrasBody, with_extras
from actorllm.protocol.chat import ChatMessage, JsonObject, Tool, ToolCall
from actorllm.protocol.errors import Refused
from actorllm.protocol.gojson import JsonError
from actorllm.protocol.messages.generation import GenerateRequest

__all__ = ["ResponsesBody", "items_of", "responses_request"]


@body("openai.ResponsesTool")
class ResponsesToolBody:
    """A tool."""

    type: str = ""
    name: str = ""
    description: str | None = None
    strict: bool | None = None
    parameters: JsonObject | None = None
    tools: tuple[Any, ...] = ()
    """Of a namespace."""


@body("openai.ResponsesTextFormat")
class TextFormatBody:
    """The form of the answer."""

    type: str = ""
    name: str | None = None
    schema: Any = None
    strict: bool | None = None


@body("openai.ResponsesText")
class TextBody:
    """Settings of the answer."""

    format: TextFormatBody | None = None


@body("openai.ResponsesReasoning")
class ResponsesReasoningBody:
    """How hard to think."""

    effort: str = ""
    summary: str | None = None


@body("openai.ResponsesRequest")
class ResponsesBody(ExtrasBody):
    """Body of `/v1/responses`."""

    model: str = ""
    input: Any = None
    instructions: str = ""
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    reasoning: ResponsesReasoningBody | None = None
    text: TextBody | None = None
    tools: tuple[ResponsesToolBody, ...] = given(default=())
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    truncation: str | None = None
    previous_response_id: str = ""
    store: bool | None = None
    """Whether the answer is kept, to be gone on from; not given: yes."""
    metadata: JsonObject | None = None
    background: bool = False
    stream: bool = False

    @property
    def tool_use(self) -> ToolUse:
        """What it says of the tools."""
        return tool_use(self.tool_choice, parallel=self.parallel_tool_calls)

    @property
    def effort(self) -> str:
        """How hard to think; empty: unset."""
        return self.reasoning.effort if self.reasoning is not None else ""


def responses_request(body: ResponsesBody, earlier: Sequence[Any] = ()) -> GenerateRequest:
    """Translate a body.

    Args:
        body: What was sent.
        earlier: The items of the conversation that it goes on from.

    Raises:
        Refused: 400, something in it makes no sense.
    """
    if body.background:
        raise Refused.because(400, "background is not supported: leave it out, and stream instead")
    messages = [ChatMessage("system", body.instructions)] if body.instructions else []
    request = GenerateRequest(
        model=body.model,
        kind="chat",
        messages=(*messages, *_conversation([*earlier, *items_of(body.input)])),
        tools=tuple(_tool(tool) for tool in body.tools if tool.type == "function"),
        format=_format(body),
        options=sampling(
            num_predict=body.max_output_tokens, temperature=body.temperature, top_p=body.top_p
        ),
        default_options={"temperature": 1.0},
        think=think_of_effort(body.effort),
    )
    return with_extras(body, body.tool_use.apply(request))


def _format(body: ResponsesBody) -> Any:
    wanted = body.text.format if body.text is not None else None
    if wanted is None:
        return None
    if wanted.type == "json_schema":
        return wanted.schema
    return "json" if wanted.type == "json_object" else None


def _tool(tool: ResponsesToolBody) -> Tool:
    function: JsonObject = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function | {"parameters": tool.parameters or {}}}


def items_of(value: Any) -> list[Any]:
    """Return an input as items.

    Raises:
        Refused: 400, it is neither a text nor a list.
    """
    if value is None:
        return []
    if isinstance(value, str):
        return [{"type": "message", "role": "user", "content": value}]
    if not isinstance(value, list):
        raise Refused.because(
            400,
            f"input must be a string or array: json: cannot unmarshal {found(value)} "
            "into Go value of type []json.RawMessage",
        )
    return value


def _conversation(items: Sequence[Any]) -> tuple[ChatMessage, ...]:
    conversation = _Conversation()
    for i, item in enumerate(items):
        try:
            conversation.add(item if isinstance(item, dict) else {})
        except ValueError as e:
            raise Refused.because(400, f"input[{i}]: {e}") from None
    return conversation.messages()


class _Conversation:
    """Items of a conversation become messages: thoughts and calls belong to one message."""

    def __init__(self) -> None:
        self._messages: list[ChatMessage] = []
        self._thinking = ""
        self._names: dict[str, str] = {}

    def messages(self) -> tuple[ChatMessage, ...]:
        """Return what was added."""
        if self._thinking:
            self._say(ChatMessage("assistant"))
        return tuple(self._messages)

    def add(self, item: Mapping[str, Any]) -> None:
        """Add an item.

        Raises:
            ValueError: Its type is unknown.
        """
        kind = item.get("type") or ("message" if "role" in item else "")
        if kind == "message":
            text, images = _content(item.get("content"))
            self._say(ChatMessage(system_role(_string(item, "role")), text, images=images))
        elif kind == "function_call":
            self._call(item)
        elif kind == "function_call_output":
            call_id = _string(item, "call_id")
            text, images = _content(item.get("output"))
            name = self._names.get(call_id, "")
            self._say(
                ChatMessage("tool", text, images=images, tool_name=name, tool_call_id=call_id)
            )
        elif kind == "reasoning":
            self._thinking += _reasoning(item)
        elif kind != "web_search_call":
            raise ValueError(f'unknown input item type: "{str(kind)[:100]}"')

    def _say(self, message: ChatMessage) -> None:
        if self._thinking and message.role == "assistant":
            message = attrs.evolve(message, thinking=self._thinking)  # type: ignore[misc]
            self._thinking = ""
        self._messages.append(message)

    def _call(self, item: Mapping[str, Any]) -> None:
        name, call_id = _string(item, "name"), _string(item, "call_id")
        self._names[call_id] = name
        try:
            arguments = arguments_of(_string(item, "arguments") or "{}")
        except JsonError as e:
            raise Refused.because(400, f"failed to parse function call arguments: {e}") from None
        call = ToolCall(name, arguments, call_id)
        last = self._messages[-1] if self._messages else None
        if last is not None and last.role == "assistant" and not self._thinking:
            calls = (*last.tool_calls, call)
            self._messages[-1] = attrs.evolve(last, tool_calls=calls)  # type: ignore[misc]
        else:
            self._say(ChatMessage("assistant", tool_calls=(call,)))


def _string(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key)
    return value if isinstance(value, str) else ""


def _reasoning(item: Mapping[str, Any]) -> str:
    plain = _string(item, "encrypted_content")
    if plain:
        return plain  # we never encrypt
    summary = item.get("summary")
    parts = summary if isinstance(summary, list) else []
    return "".join(_string(p, "text") for p in parts if isinstance(p, dict))


def _content(value: Any) -> tuple[str, tuple[bytes, ...]]:
    if isinstance(value, str):
        return value, ()
    parts = list(_parts(value if isinstance(value, list) else []))
    return (
        "".join(p for p in parts if isinstance(p, str)),
        tuple(p for p in parts if isinstance(p, bytes)),
    )


def _parts(values: list[Any]) -> Iterator[str | bytes]:
    for i, value in enumerate(values):
        part = value if isinstance(value, dict) else {}
        kind = part.get("type")
        if kind in {"input_text", "output_text", "text"}:
            yield _string(part, "text")
        elif kind == "input_image":
            yield image_of_url(_string(part, "image_url"))
        else:
            raise ValueError(f"content[{i}]: unknown content type: {str(kind)[:100]}")
