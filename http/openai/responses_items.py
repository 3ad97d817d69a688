"""Items of a conversation, as `/v1/responses` takes and gives them, and the messages they make."""

from collections.abc import Sequence
from typing import Any, TypeVar

import attrs

from actorllm.http.openai.parts import arguments_of, image_of_url, system_role
from actorllm.http.wire.binding import body, given, struct_of
from actorllm.http.wire.mismatch import Mismatch, found
from actorllm.http.wire.values import RAW
from actorllm.protocol.chat import ChatMessage, ToolCall
from actorllm.protocol.errors import Refused
from actorllm.protocol.gojson import JsonError, quote_plain

__all__ = ["conversation", "items_of"]

T = TypeVar("T")


@body(
    "openai.ResponsesItem",
    own=r'struct { Type string "json:\"type\""; Role string "json:\"role\"" }',
)
class _ItemBody:
    """What all items have."""

    type: str = ""
    role: str = ""
    content: Any = given(default=None, kind=RAW)


@body("openai.ResponsesFunctionCall")
class _CallBody:
    id: str = ""
    call_id: str = ""
    name: str = ""
    arguments: str = ""


@body("openai.ResponsesFunctionCallOutput", own="openai.ResponsesFunctionCallOutput")
class _OutputBody:
    call_id: str = ""
    output: Any = given(default=None, kind=RAW)


@body("openai.ResponsesReasoningSummary")
class _SummaryBody:
    type: str = ""
    text: str = ""


@body("openai.ResponsesReasoningInput")
class _ReasoningBody:
    id: str = ""
    encrypted_content: str = ""
    summary: tuple[_SummaryBody, ...] = ()


@body("openai.ResponsesContent", own=r'struct { Type string "json:\"type\"" }')
class _ContentBody:
    type: str = ""


@body("openai.ResponsesTextContent")
class _InputTextBody:
    text: str = ""


@body("openai.ResponsesOutputTextContent")
class _OutputTextBody:
    text: str = ""


@body("openai.ResponsesImageContent")
class _ImageBody:
    detail: str = ""
    file_id: str = ""
    image_url: str = ""


@body("openai.ResponsesFileContent")
class _FileBody:
    file_data: str = ""
    file_id: str = ""
    file_url: str = ""
    filename: str = ""


_PARTS: dict[str, type] = {
    "input_text": _InputTextBody,
    "output_text": _OutputTextBody,
    "input_image": _ImageBody,
    "input_file": _FileBody,
}


@attrs.frozen
class _Content:
    """Parts of a message, or of what a function returned."""

    parts: tuple[Any, ...]

    @property
    def text(self) -> str:
        return "".join(getattr(part, "text", "") for part in self.parts)

    @property
    def images(self) -> tuple[bytes, ...]:
        """The images.

        Raises:
            Refused: 400, one cannot be read, or there is a file.
        """
        if any(isinstance(part, _FileBody) for part in self.parts):
            raise Refused.because(400, "file inputs are not currently supported")
        urls = [part.image_url for part in self.parts if isinstance(part, _ImageBody)]
        return tuple(image_of_url(url) for url in urls if url)


@attrs.frozen
class _Message:
    role: str
    content: _Content


@attrs.frozen
class _Output:
    call_id: str
    content: _Content


_Item = _Message | _Output | _CallBody | _ReasoningBody


def items_of(value: Any) -> list[Any]:
    """Return an input as items.

    Raises:
        Refused: 400, it is neither a text nor a list.
    """
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [{"type": "message", "role": "user", "content": value}]
    if not isinstance(value, list):
        raise Refused.because(400, str(_no_list("input", value)))
    return value


def _no_list(key: str, value: Any) -> ValueError:
    wrong = Mismatch(found(value), "[]json.RawMessage")
    return ValueError(f"{key} must be a string or array: {wrong}")


def conversation(*inputs: Sequence[Any]) -> tuple[ChatMessage, ...]:
    """Translate items: those of the conversation until now, and those that were sent.

    Raises:
        Refused: 400, an item makes no sense.
    """
    items = [item for values in inputs for item in _read_all(values)]
    made = _Conversation()
    for i, item in enumerate(items):
        following = items[i + 1] if i + 1 < len(items) else None
        made.add(item, following)
    return made.messages()


def _read_all(values: Sequence[Any]) -> list[_Item]:
    items = []
    for i, value in enumerate(values):
        try:
            items.append(_read(value))
        except ValueError as e:
            raise Refused.because(400, f"input[{i}]: {e}") from None
    return [item for item in items if item is not None]


def _read(value: Any) -> _Item | None:
    """Read an item; None: one that says nothing to the model.

    Raises:
        ValueError: It is none.
    """
    seen = _typed(_ItemBody, {} if value is None else value)
    kind = seen.type or ("message" if seen.role else "")
    match kind:
        case "message":
            return _Message(system_role(seen.role), _content("content", seen.content))
        case "function_call":
            return _typed(_CallBody, value)
        case "function_call_output":
            output = _typed(_OutputBody, value)
            return _Output(output.call_id, _content("output", output.output))
        case "reasoning":
            return _typed(_ReasoningBody, value)
        case "web_search_call":
            return None
        case "":
            raise ValueError("input item missing required 'type' field")
    raise ValueError(f"unknown input item type: {quote_plain(kind[:100])}")


def _typed(cls: type[T], value: Any) -> T:
    read: T = struct_of(cls).read(value)
    return read


def _content(key: str, value: Any) -> _Content:
    if isinstance(value, str):
        return _Content((_InputTextBody(text=value),))
    if value is None:
        return _Content(())
    if not isinstance(value, list):
        raise _no_list(key, value)
    return _Content(tuple(_part(key, i, part) for i, part in enumerate(value)))


def _part(key: str, index: int, value: Any) -> Any:
    try:
        kind = _typed(_ContentBody, {} if value is None else value).type
        if kind in _PARTS:
            return _typed(_PARTS[kind], value)
    except ValueError as e:
        raise ValueError(f"{key}[{index}]: {e}") from None
    raise ValueError(f"{key}[{index}]: unknown content type: {kind[:100]}")


class _Conversation:
    """Items become messages: thoughts and calls belong to one message."""

    def __init__(self) -> None:
        self._messages: list[ChatMessage] = []
        self._thinking = ""
        self._names: dict[str, str] = {}

    def messages(self) -> tuple[ChatMessage, ...]:
        """Return what was added."""
        if self._thinking:
            self._say(ChatMessage("assistant"))
        return tuple(self._messages)

    def add(self, item: _Item, following: _Item | None) -> None:
        """Add an item.

        Args:
            item: What comes next.
            following: What comes behind it.

        Raises:
            Refused: 400, it makes no sense.
        """
        match item:
            case _Message():
                said = ChatMessage(item.role, item.content.text, images=item.content.images)
                called = following.call_id if isinstance(following, _Output) else ""
                self._say(said, called)
            case _CallBody():
                self._call(item)
            case _Output():
                content = item.content
                name = self._names.get(item.call_id, "")
                self._say(
                    ChatMessage(
                        "tool",
                        content.text,
                        images=content.images,
                        tool_name=name,
                        tool_call_id=item.call_id,
                    )
                )
            case _ReasoningBody():  # we never encrypt
                self._thinking += item.encrypted_content or "".join(s.text for s in item.summary)

    def _say(self, message: ChatMessage, called: str = "") -> None:
        """Add a message.

        Args:
            message: What was said.
            called: Id of the call whose result comes next: that must follow the message of the
                call, so what an assistant said in between joins that message.
        """
        if self._thinking and message.role == "assistant":
            message = attrs.evolve(message, thinking=self._thinking)  # type: ignore[misc]
            self._thinking = ""
        last = self._last_of_assistant()
        if (
            last is not None
            and message.role == "assistant"
            and called
            and any(call.id == called for call in last.tool_calls)
        ):
            self._messages[-1] = attrs.evolve(  # type: ignore[misc]
                last,
                content="\n".join(filter(None, (last.content, message.content))),
                thinking=message.thinking or last.thinking,
                images=last.images + message.images,
            )
        else:
            self._messages.append(message)

    def _call(self, item: _CallBody) -> None:
        self._names[item.call_id] = item.name
        try:
            arguments = arguments_of(item.arguments or "{}")
        except JsonError as e:
            raise Refused.because(400, f"failed to parse function call arguments: {e}") from None
        call = ToolCall(item.name, arguments, item.call_id)
        last = self._last_of_assistant()
        if last is None:
            self._say(ChatMessage("assistant", tool_calls=(call,)))
            return
        self._messages[-1] = attrs.evolve(  # type: ignore[misc]
            last,
            tool_calls=(*last.tool_calls, call),
            thinking=self._thinking or last.thinking,
        )
        self._thinking = ""

    def _last_of_assistant(self) -> ChatMessage | None:
        last = self._messages[-1] if self._messages else None
        return last if last is not None and last.role == "assistant" else None
