"""What a parser gives: typed deltas, and the sink in which one step's deltas gather."""

from typing import Protocol

from attrs import frozen

from actorllm.protocol.chat import ToolCall

__all__ = ["OutputParser", "Parsed", "Sink", "join"]


@frozen
class Parsed:
    """What became certain since the last step; all fields may be empty."""

    content: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    """Complete calls with their index in the whole answer; ids are left to the caller."""
    unparsed: bool = False
    """Whether `content` holds a call that could not be read and is shown as it was written."""

    def __bool__(self) -> bool:
        return bool(self.content or self.thinking or self.tool_calls or self.unparsed)


class OutputParser(Protocol):
    """An incremental parser of one answer. The joined result is the same for every split."""

    def feed(self, text: str) -> Parsed:
        """Take the next piece of the model's output."""
        ...

    def finish(self) -> Parsed:
        """Give what was held back; to be called once, after the last piece."""
        ...


def join(steps: list[Parsed]) -> Parsed:
    """Join the deltas of several steps into one."""
    return Parsed(
        content="".join(step.content for step in steps),
        thinking="".join(step.thinking for step in steps),
        tool_calls=tuple(call for step in steps for call in step.tool_calls),
        unparsed=any(step.unparsed for step in steps),
    )


class Sink:
    """Gathers the deltas of one step and counts the calls of the whole answer."""

    def __init__(self) -> None:
        self._content: list[str] = []
        self._thinking: list[str] = []
        self._calls: list[ToolCall] = []
        self._unparsed = False
        self._count = 0
        self.has_content = False

    def content(self, text: str) -> None:
        if text:
            self._content.append(text)
            self.has_content = True

    def thinking(self, text: str) -> None:
        if text:
            self._thinking.append(text)

    def call(self, call: ToolCall) -> None:
        numbered = ToolCall(name=call.name, arguments=call.arguments, index=self._count)
        self._calls.append(numbered)
        self._count += 1

    def unparsed(self, text: str) -> None:
        """Show what was meant as a call, but cannot be read, as content."""
        self.content(text)
        self._unparsed = True

    def add(self, step: Parsed) -> None:
        """Take over the deltas of another parser; its calls are counted on."""
        (self.unparsed if step.unparsed else self.content)(step.content)
        self.thinking(step.thinking)
        for call in step.tool_calls:
            self.call(call)

    def take(self) -> Parsed:
        """Empty the sink."""
        step = Parsed(
            content="".join(self._content),
            thinking="".join(self._thinking),
            tool_calls=tuple(self._calls),
            unparsed=self._unparsed,
        )
        self._content, self._thinking, self._calls = [], [], []
        self._unparsed = False
        return step
