"""The body of `/v1/responses` and its translation."""

from collections.abc import Iterator, Sequence
from typing import Any

from actorllm.http.answer_form import form_of
from actorllm.http.openai.parts import sampling, think_of_effort
from actorllm.http.openai.responses_items import conversation, items_of
from actorllm.http.tool_use import ToolUse, tool_use
from actorllm.http.wire.binding import body, given, struct_of
from actorllm.http.wire.extras import ExtrasBody, with_extras
from actorllm.http.wire.kinds import check_parameters
from actorllm.http.wire.mismatch import Mismatch
from actorllm.http.wire.values import RAW, List
from actorllm.protocol.chat import ChatMessage, JsonObject, Tool
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import GenerateRequest

__all__ = ["ResponsesBody", "responses_request"]


@body("openai.ResponsesTool")
class ResponsesToolBody:
    """A tool."""

    type: str = ""
    name: str = ""
    description: str | None = None
    strict: bool | None = None
    parameters: JsonObject | None = None
    tools: tuple[Any, ...] = ()
    """Of a namespace: further ones."""


_MEMBERS = List(struct_of(ResponsesToolBody))


@body("openai.ResponsesTextFormat")
class TextFormatBody:
    """The form of the answer."""

    type: str = ""
    name: str | None = None
    schema: Any = given(default=None, kind=RAW)
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
    input: Any = given(default=None, kind=RAW)
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
    metadata: Any = None
    """Given back as it is, if it is an object."""
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
    named = [each for tool in body.tools for each in _named(tool)]
    request = GenerateRequest(
        model=body.model,
        kind="chat",
        messages=(*messages, *conversation(earlier, items_of(body.input))),
        tools=tuple(_tool(name, tool) for name, tool in named if _is_function(name, tool)),
        format=_format(body),
        options=sampling(
            num_predict=body.max_output_tokens, temperature=body.temperature, top_p=body.top_p
        ),
        default_options={"temperature": 1.0},
        think=think_of_effort(body.effort),
        notices=tuple(
            f"tools of type {tool.type[:40]!r} are not offered to the model"
            for name, tool in named
            if not _is_function(name, tool)
        ),
    )
    return with_extras(body, body.tool_use.apply(request))


def _format(body: ResponsesBody) -> Any:
    wanted = body.text.format if body.text is not None else None
    if wanted is None:
        return None
    return form_of(wanted.type, wanted.schema, key="text.format")


def _named(tool: ResponsesToolBody) -> Iterator[tuple[str, ResponsesToolBody]]:
    """Give a tool with its name; the tools of a namespace have its name before their own.

    Raises:
        Refused: 400, a part has the wrong type.
    """
    if tool.type != "namespace":
        yield tool.name, tool
        return
    prefix = f"{tool.name}." if tool.name else ""
    try:
        members = _MEMBERS.read(list(tool.tools))
    except Mismatch as e:
        e.struct, e.path = "ResponsesRequest", ("tools", "tools", *e.path)
        raise Refused.because(400, str(e)) from None
    for member in members:
        for name, inner in _named(member):
            yield name if name.startswith(prefix) else prefix + name, inner


def _is_function(name: str, tool: ResponsesToolBody) -> bool:
    return bool(name) and tool.type != "web_search"


def _tool(name: str, tool: ResponsesToolBody) -> Tool:
    try:
        check_parameters(tool.parameters)
    except ValueError as e:
        raise Refused.because(400, f"failed to unmarshal tool parameters: {e}") from None
    function: JsonObject = {"name": name}
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function | {"parameters": tool.parameters or {}}}
