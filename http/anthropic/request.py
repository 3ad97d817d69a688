"""The body of `/v1/messages` and its translation."""

import json
from typing import Any

import attrs

from actorllm.http.answer_form import form_of
from actorllm.http.anthropic.blocks import MISSING, blocks_of, messages_of, size_of, system_text
from actorllm.http.tool_use import ToolUse
from actorllm.http.wire.binding import body, given
from actorllm.http.wire.extras import ExtrasBody, with_extras
from actorllm.http.wire.kinds import check_parameters
from actorllm.http.wire.values import RAW
from actorllm.protocol.chat import ChatMessage, JsonObject, Think, Tool
from actorllm.protocol.errors import Refused
from actorllm.protocol.gojson import quote_plain
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


@body(
    "anthropic.MessageParam",
    own=r'struct { Role string "json:\"role\""; Content json.RawMessage "json:\"content\"" }',
)
class MessageParamBody:
    """A message."""

    role: str = ""
    content: Any = given(default=MISSING, kind=RAW)


@body("anthropic.Tool")
class ToolBody:
    """A tool."""

    type: str = ""
    name: str = ""
    description: str = ""
    input_schema: Any = given(default=None, kind=RAW)


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


@body("anthropic.Metadata")
class MetadataBody:
    """Who asks."""

    user_id: str = ""


@body("anthropic.OutputFormat")
class OutputFormatBody:
    """The form of the answer."""

    type: str = ""
    schema: Any = given(default=None, kind=RAW)


@body("anthropic.OutputConfig")
class OutputBody:
    """How hard to think, and in what form to answer."""

    effort: str = ""
    format: OutputFormatBody | None = None


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
    metadata: MetadataBody | None = None
    """Taken and ignored, as the reference does."""

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
    system = system_text(body.system)
    messages = [ChatMessage("system", system)] if system else []
    for message in body.messages:
        messages += messages_of(message.role, blocks_of(message.content))
    tools = [tool for tool in body.tools if not tool.type.startswith("web_search")]
    left_out = "web_search is not offered to the model: this server is local"
    request = GenerateRequest(
        model=body.model,
        kind="chat",
        messages=tuple(messages),
        tools=tuple(map(_tool, tools)),
        options=_options(body),
        format=_format(body.output_config),
        think=_think(body),
        think_budget=_budget(body.thinking),
        drop_unsupported_thinking=True,
        notices=(left_out,) if len(tools) < len(body.tools) else (),
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


def _format(output: OutputBody | None) -> Any:
    wanted = output.format if output is not None else None
    if wanted is None:
        return None
    return form_of(wanted.type, wanted.schema, key="output_config.format")


def _think(body: MessagesBody) -> Think:
    if body.thinking is not None and body.thinking.type in {"enabled", "disabled"}:
        return body.thinking.type == "enabled"
    effort = body.output_config.effort if body.output_config is not None else ""
    return _EFFORTS.get(effort.strip().lower())


def _budget(thinking: ThinkingBody | None) -> int | None:
    """Give the tokens that thoughts may have; 0 and less: nothing was said."""
    if thinking is None or thinking.type != "enabled" or thinking.budget_tokens <= 0:
        return None
    return thinking.budget_tokens


def _tool(tool: ToolBody) -> Tool:
    try:
        check_parameters(tool.input_schema)
    except ValueError as e:
        raise Refused.because(
            400, f"invalid input_schema for tool {quote_plain(tool.name[:100])}: {e}"
        ) from None
    function: JsonObject = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function | {"parameters": tool.input_schema or {}}}


def estimate_tokens(body: MessagesBody) -> int:
    """Guess the tokens of a request before they have been counted."""
    size = size_of(body.system)
    size += sum(len(m.role) + size_of(m.content) for m in body.messages)
    size += sum(
        len(t.name) + len(t.description) + len(json.dumps(t.input_schema, ensure_ascii=False))
        for t in body.tools
    )
    return max(1, size // _CHARACTERS_PER_TOKEN)
