"""The machine behind formats in which every message says to whom it goes.

An answer is a row of messages, each with a header up to `<|message|>`, then its text up to an end
tag. The prompt has already opened the first header. A `Channels` says how one family routes:
what a header means is a pure function, and what the text of a message means is the matter of
another parser.
"""

from collections.abc import Callable

from attrs import frozen

from actorllm.actors.runner.parse.calls import MAX_CALL, BadCall, json_object
from actorllm.actors.runner.parse.parsed import OutputParser, Parsed, Sink
from actorllm.actors.runner.parse.scan import Scanner, Tags
from actorllm.protocol.chat import ToolCall

__all__ = ["MAX_HEADER", "CallBody", "ChannelParser", "Channels", "Thoughts"]

MAX_HEADER = 512
"""Characters of a header; longer ones are no header, but content."""

Route = Callable[[str], OutputParser]
"""Gives the parser for the text of the message that has this header."""


@frozen
class Channels:
    """How a family separates messages."""

    ends: tuple[str, ...]
    """Tags that end a message."""
    start: str = "<|start|>assistant"
    """Begins a header, and ends a message that was not ended."""
    message: str = "<|message|>"
    header_marks: tuple[str, ...] = ("to=",)
    """Texts that tell a header that was cut off from plain words."""


class Thoughts:
    """Takes all text as thinking, or leaves it out."""

    def __init__(self, *, hide: bool = False) -> None:
        self._hide = hide

    def feed(self, text: str) -> Parsed:
        return Parsed() if self._hide else Parsed(thinking=text)

    def finish(self) -> Parsed:
        return Parsed()


class CallBody:
    """Takes all text as the arguments of one call."""

    def __init__(self, name: str, header: str) -> None:
        self._name = name
        self._pieces = [header]
        self._size = 0
        self._sink = Sink()

    def feed(self, text: str) -> Parsed:
        self._pieces.append(text)
        self._size += len(text)
        if self._size > MAX_CALL:
            self._sink.unparsed("".join(self._pieces))
            self._pieces = []
        return self._sink.take()

    def finish(self) -> Parsed:
        if self._size <= MAX_CALL:
            try:
                arguments = json_object("".join(self._pieces[1:]))
                self._sink.call(ToolCall(name=self._name, arguments=arguments))
            except BadCall:
                self._sink.unparsed("".join(self._pieces))
        return self._sink.take()


class ChannelParser:
    """Reads a row of messages and routes the text of each by its header."""

    def __init__(
        self, channels: Channels, route: Route, *, opened: OutputParser | None = None
    ) -> None:
        """Begin inside a message with the parser `opened`, or else inside a header."""
        self._channels = channels
        self._route = route
        self._sink = Sink()
        self._scan = Scanner()
        self._message = Tags([channels.message])
        self._ends = Tags([*channels.ends, channels.start])
        self._header: list[str] = []
        self._size = 0
        self._body: OutputParser | None = opened

    def feed(self, text: str) -> Parsed:
        self._scan.push(text)
        self._run()
        return self._sink.take()

    def finish(self) -> Parsed:
        self._scan.close()
        self._run()
        self._end_body()
        self._end_header()
        return self._sink.take()

    def _run(self) -> None:
        while not self._scan.empty and (self._read_body() if self._body else self._read_header()):
            pass

    def _read_header(self) -> bool:
        token = self._scan.take(self._message)
        self._header.append(token.text)
        self._size += len(token.text)
        if self._size > MAX_HEADER:
            self._sink.content("".join(self._header) + token.tag)
            self._begin(self._route(""))
            return True
        if token.tag:
            self._begin(self._route("".join(self._header)))
        return bool(token.tag)

    def _begin(self, body: OutputParser) -> None:
        self._header, self._size = [], 0
        self._body = body

    def _read_body(self) -> bool:
        assert self._body is not None
        token = self._scan.take(self._ends)
        self._sink.add(self._body.feed(token.text))
        if token.tag:
            self._end_body()
        if token.tag == self._channels.start:
            self._header = [token.tag]
        return bool(token.tag)

    def _end_body(self) -> None:
        if self._body is not None:
            self._sink.add(self._body.finish())
            self._body = None

    def _end_header(self) -> None:
        """Say what was to be a header, but never became one."""
        text = "".join(self._header).removeprefix(self._channels.start)
        if any(mark in text for mark in self._channels.header_marks):
            self._sink.unparsed(text)
        elif text.strip():
            self._sink.content(text)
