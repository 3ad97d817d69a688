"""The machine behind most formats: thinking between two tags, calls between two tags.

A `Dialect` says how one family writes; `FencedParser` reads it. The states are methods; each
consumes what it can be certain of and says whether it got on.

    opening    before anything was said: may thinking begin here?
    thinking   up to the closing tag (or a call, where the family does that)
    content    up to an opening tag
    call       up to the end of a call, whose text is then decoded in one piece
"""

from enum import Enum

from attrs import frozen

from actorllm.actors.runner.parse.calls import BadCall, Toolbox
from actorllm.actors.runner.parse.edges import Edges
from actorllm.actors.runner.parse.fence import CallText, Fence
from actorllm.actors.runner.parse.parsed import Parsed, Sink
from actorllm.actors.runner.parse.scan import Scanner, Tags
from actorllm.protocol.chat import ToolCall

__all__ = ["Dialect", "FencedParser", "Opens", "Spaces"]


class Opens(Enum):
    """Where thinking may begin with its opening tag."""

    NEVER = 0
    FIRST = 1
    """Only as the first thing said."""
    ANYWHERE = 2


class Spaces(Enum):
    """What becomes of white space at the edges of content."""

    KEEP = 0
    """All stays but that between calls, and that between a call and the end."""
    AROUND = 1
    """None between calls, thinking and the edges of the answer; between words it stays."""
    TRIM = 2
    """None before or behind thinking and calls, and none at the end."""


@frozen
class Dialect:
    """How a family marks thinking and calls."""

    think_open: str = ""
    think_labels: tuple[str, ...] = ()
    """Words that may follow `think_open` and belong to it."""
    think_close: str = ""
    opens: Opens = Opens.NEVER
    fences: tuple[Fence, ...] = ()
    calls_in_thinking: bool = False
    """Whether a call ends thinking that was not closed."""
    spaces: Spaces = Spaces.TRIM
    trim_start: bool = False
    """Whether content loses the white space at its start."""
    trim_thinking: bool = True
    """Whether thinking loses the white space at its end."""
    hide_thinking: bool = False
    """Whether thinking that nobody asked for is left out."""
    begins: tuple[str, ...] = ()
    """Tags, left out, behind which white space is part of the content."""
    ends: tuple[str, ...] = ()
    """Tags, left out, behind which white space is not part of the content."""

    def fence(self, tag: str) -> Fence | None:
        return next((fence for fence in self.fences if fence.open == tag), None)

    def think_tags(self) -> list[str]:
        return [self.think_open, *(self.think_open + label for label in self.think_labels)]

    def tags_in_content(self) -> Tags:
        opening = self.think_tags() if self.opens is Opens.ANYWHERE else []
        calls = (fence.open for fence in self.fences)
        return Tags([*opening, *calls, *self.begins, *self.ends])

    def tags_in_thinking(self) -> Tags:
        calls = [fence.open for fence in self.fences] if self.calls_in_thinking else []
        return Tags([self.think_close, *calls])


class FencedParser:
    """Reads the output of a model that writes in `dialect`."""

    def __init__(
        self, dialect: Dialect, tools: Toolbox | None = None, *, in_thinking: bool = False
    ) -> None:
        self._dialect = dialect
        self._tools = tools or Toolbox()
        self._sink = Sink()
        self._scan = Scanner()
        self._in_content = dialect.tags_in_content()
        self._in_thinking = dialect.tags_in_thinking()
        self._think_tags = Tags(dialect.think_tags())
        self._close_tag = Tags([dialect.think_close])
        inside = in_thinking and dialect.think_close
        self._state = self._inside if inside else self._opening
        self._content = Edges(self._sink.content, hold=dialect.spaces is not Spaces.KEEP)
        say = _nobody if dialect.hide_thinking else self._sink.thinking
        self._thinking = Edges(say, hold=dialect.trim_thinking)
        self._call: CallText | None = None
        self._lead: list[str] = []
        self._after_call = False
        self._trims = dialect.spaces is not Spaces.KEEP
        if dialect.trim_start:
            self._content.skip_spaces()

    def feed(self, text: str) -> Parsed:
        self._scan.push(text)
        self._run()
        return self._sink.take()

    def finish(self) -> Parsed:
        self._scan.close()
        self._run()
        if self._call is not None:
            self._end_call(self._call)
        if self._dialect.spaces is Spaces.AROUND and not self._after_call:
            self._content.flush()
        return self._sink.take()

    def _run(self) -> None:
        while not self._scan.empty and self._state():
            pass

    def _opening(self) -> bool:
        """Nothing was said yet. A closing tag alone ends the thinking that a model left out."""
        if self._dialect.opens is Opens.FIRST:
            self._lead.append(self._scan.take_spaces())
            if self._scan.empty:
                return False
            begun = self._scan.take_tag(self._think_tags)
            if begun is None:
                return False
            if begun:
                return self._begin_thinking()
            closed = self._scan.take_tag(self._close_tag)
            if closed is None:
                return False
            if closed:
                return self._end_thinking()
        return self._begin_content()

    def _begin_content(self) -> bool:
        self._content.write("".join(self._lead))
        self._state = self._say
        return True

    def _begin_thinking(self) -> bool:
        self._thinking.skip_spaces()
        self._state = self._think
        return True

    def _inside(self) -> bool:
        """The prompt opened the thinking; a model may open it once more."""
        self._lead.append(self._scan.take_spaces())
        if self._scan.empty:
            return False
        again = self._scan.take_tag(self._think_tags)
        if again is None:
            return False
        if again:
            return self._begin_thinking()
        self._thinking.write("".join(self._lead))
        self._state = self._think
        return True

    def _think(self) -> bool:
        token = self._scan.take(self._in_thinking)
        self._thinking.write(token.text)
        if not token.tag:
            return False
        self._thinking.drop()
        if token.tag == self._dialect.think_close:
            return self._end_thinking()
        return self._begin_call(token.tag)

    def _end_thinking(self) -> bool:
        self._state = self._say
        if self._trims or not self._sink.has_content:
            self._content.skip_spaces()
        return True

    def _say(self) -> bool:
        token = self._scan.take(self._in_content)
        self._content.write(token.text)
        self._after_call = self._after_call and not token.text.strip()
        if not token.tag:
            return False
        if self._dialect.fence(token.tag):
            return self._begin_call(token.tag)
        if token.tag in self._dialect.begins:
            self._content.keep_spaces()
            return True
        if token.tag in self._dialect.ends:
            self._content.skip_spaces()
            return True
        return self._begin_thinking()

    def _begin_call(self, tag: str) -> bool:
        fence = self._dialect.fence(tag)
        assert fence is not None
        self._call = CallText(fence)
        self._state = self._collect
        return True

    def _collect(self) -> bool:
        call = self._call
        assert call is not None
        complete = call.take(self._scan)
        if call.too_long:
            self._content.flush()
            self._sink.unparsed(call.spill())
        if complete:
            self._end_call(call)
        return complete

    def _end_call(self, call: CallText) -> None:
        self._call = None
        self._state = self._say
        try:
            calls = call.decode(self._tools)
        except BadCall as bad:
            self._content.flush()
            self._sink.unparsed(call.spill())
            self._say_calls(bad.read)
            return
        self._say_calls(calls)
        if self._dialect.spaces is Spaces.TRIM:
            self._content.drop()
            self._content.skip_spaces()
            return
        if self._dialect.spaces is Spaces.AROUND:
            self._after_call = True
            if not self._sink.has_content:
                self._content.skip_spaces()
        else:
            self._content.drop()
            self._content.hold_spaces()

    def _say_calls(self, calls: list[ToolCall]) -> None:
        for call in calls:
            self._sink.call(call)


def _nobody(_: str) -> None:
    """Take thinking that is left out."""
