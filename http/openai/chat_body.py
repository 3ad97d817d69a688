"""The body of `/v1/chat/completions` and its translation."""

from collections.abc import Iterator, Sequence
from typing import Any

from actorllm.http.answer_form import form_of
from actorllm.http.openai.parts import (
    ReasoningBody,
    StreamOptionsBody,
    arguments_of,
    biases,
    go_type,
    image_of_url,
    sampling,
    stop_texts,
    system_role,
    think_of_effort,
)
from actorllm.http.tool_use import ToolUse, tool_use
from actorllm.http.wire import base64
from actorllm.http.wire.binding import body, given
from actorllm.http.wire.extras import ExtrasBody, with_extras
from actorllm.http.wire.kinds import OPENAI_TOOLS
from actorllm.http.wire.values import RAW
from actorllm.protocol.chat import ChatMessage, JsonObject, ToolCall
from actorllm.protocol.errors import Refused
from actorllm.protocol.gojson import JsonError
from actorllm.protocol.messages.generation import GenerateRequest

__all__ = ["DEFAULTS", "ChatCompletionBody", "chat_request"]

DEFAULTS: JsonObject = {"temperature": 1.0, "top_p": 1.0}
"""What OpenAI's clients expect where they say nothing; stronger than the model's own parameters."""


@body(
    "openai.Function",
    unnamed=r'struct { Name string "json:\"name\""; Arguments string "json:\"arguments\"" }',
)
class CalledBody:
    """The called function."""

    name: str = ""
    arguments: str = ""


@body("openai.ToolCall")
class CallBody:
    """A tool call in a message."""

    id: str = ""
    index: int = 0
    type: str = ""
    function: CalledBody = CalledBody()


@body("openai.Message")
class OpenAIMessageBody:
    """A message."""

    role: str = ""
    content: Any = None
    reasoning: str = ""
    tool_calls: tuple[CallBody, ...] | None = None
    """Where they are given, even as an empty list, there need be no content."""
    name: str = ""
    tool_call_id: str = ""


@body("openai.JsonSchema")
class JsonSchemaBody:
    """A schema for the answer."""

    schema: Any = given(default=None, kind=RAW)


@body("openai.ResponseFormat")
class ResponseFormatBody:
    """The form of the answer."""

    type: str = ""
    json_schema: JsonSchemaBody | None = None


@body("openai.ChatCompletionRequest")
class ChatCompletionBody(ExtrasBody):
    """Body of `/v1/chat/completions`."""

    model: str = ""
    messages: tuple[OpenAIMessageBody, ...] = ()
    stream: bool = False
    stream_options: StreamOptionsBody | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    """The newer name; it wins."""
    n: int | None = None
    seed: int | None = None
    stop: Any = None
    temperature: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: JsonObject | None = None
    top_p: float | None = None
    response_format: ResponseFormatBody | None = None
    tools: tuple[JsonObject, ...] = given(default=(), kind=OPENAI_TOOLS)
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    reasoning: ReasoningBody | None = None
    reasoning_effort: str | None = None
    logprobs: bool | None = None
    top_logprobs: int = 0
    render_only: bool = given(default=False, key="_debug_render_only")

    @property
    def wants_usage(self) -> bool:
        """Whether a stream shall end with a count of tokens."""
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def tool_use(self) -> ToolUse:
        """What it says of the tools."""
        return tool_use(self.tool_choice, parallel=self.parallel_tool_calls)


def chat_request(body: ChatCompletionBody) -> GenerateRequest:
    """Translate a body.

    Raises:
        Refused: 400, something in it makes no sense.
    """
    if not body.messages:
        raise Refused.because(400, "[] is too short - 'messages'")
    effort = body.reasoning.effort if body.reasoning is not None else body.reasoning_effort
    limit = body.max_completion_tokens
    request = GenerateRequest(
        model=body.model,
        kind="chat",
        messages=tuple(m for message in body.messages for m in _messages(message, body.messages)),
        tools=body.tools,
        format=_format(body.response_format),
        options=sampling(
            num_predict=body.max_tokens if limit is None else limit,
            seed=body.seed,
            stop=stop_texts(body.stop),
            temperature=body.temperature,
            frequency_penalty=body.frequency_penalty,
            presence_penalty=body.presence_penalty,
            logit_bias=biases(body.logit_bias),
            top_p=body.top_p,
        ),
        default_options=DEFAULTS,
        think=think_of_effort(effort or ""),
        think_budget=body.reasoning.max_tokens if body.reasoning is not None else None,
        logprobs=bool(body.logprobs),
        top_logprobs=body.top_logprobs,
        render_only=body.render_only,
    )
    return with_extras(body, body.tool_use.apply(request))


def _format(wanted: ResponseFormatBody | None) -> Any:
    if wanted is None:
        return None
    schema = wanted.json_schema.schema if wanted.json_schema is not None else None
    return form_of(wanted.type, schema, key="response_format")


def _messages(
    message: OpenAIMessageBody, conversation: Sequence[OpenAIMessageBody]
) -> Iterator[ChatMessage]:
    """Translate a message; each part of its content becomes one of its own."""
    role = system_role(message.role)
    calls = _calls(message.tool_calls or ())
    tool_name = ""
    if role == "tool":
        tool_name = message.name or _called_name(message.tool_call_id, conversation)
    content = message.content
    if not isinstance(content, str | list) and message.tool_calls is not None:
        content = ""
    if isinstance(content, str):
        yield ChatMessage(
            role=role,
            content=content,
            thinking=message.reasoning,
            tool_calls=calls,
            tool_name=tool_name,
            tool_call_id=message.tool_call_id,
        )
        return
    if not isinstance(content, list):
        raise Refused.because(400, f"invalid message content type: {go_type(content)}")
    for i, part in enumerate(content):
        text, media = _part(part)
        yield ChatMessage(
            role=role,
            content=text,
            images=media,
            thinking=message.reasoning if i == 0 else "",
            tool_calls=calls if i == len(content) - 1 else (),
            tool_name=tool_name,
            tool_call_id=message.tool_call_id,
        )


def _part(part: Any) -> tuple[str, tuple[bytes, ...]]:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text" and isinstance(part.get("text"), str):
        return part["text"], ()
    if kind == "image_url":
        url = part.get("image_url")
        if isinstance(url, dict):
            url = url.get("url")
        if isinstance(url, str):
            return "", (image_of_url(url),)
    if kind == "input_audio":
        return "", (_audio(part.get("input_audio")),)
    raise Refused.because(400, "invalid message format")


def _audio(value: Any) -> bytes:
    if not isinstance(value, dict):
        raise Refused.because(400, "invalid input_audio format")
    data = value.get("data")
    if not isinstance(data, str):
        raise Refused.because(400, "invalid input_audio format: missing data")
    try:
        return base64.decode(data)
    except base64.Base64Error as e:
        raise Refused.because(400, f"invalid input_audio base64 data: {e}") from None


def _calls(calls: Sequence[CallBody]) -> tuple[ToolCall, ...]:
    try:
        return tuple(
            ToolCall(call.function.name, arguments_of(call.function.arguments), call.id, call.index)
            for call in calls
        )
    except JsonError:
        raise Refused.because(400, "invalid tool call arguments") from None


def _called_name(call_id: str, conversation: Sequence[OpenAIMessageBody]) -> str:
    """Find out which function a result belongs to."""
    for message in reversed(conversation):
        for call in message.tool_calls or ():
            if call_id and call.id == call_id:
                return call.function.name
    return ""
