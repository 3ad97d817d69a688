"""The machine behind most formats: thinking between two tags, calls between two tags.

A `Dialect` says how one family writes; `FencedParser` reads it. The states are methods; each
consumes what it can be certain of and says whether it got on.

    opening    before anything was said: may thinking begin here?
    thinking   up to the closing tag (or a call, where the family does that)
    content    up to an opening tag
    call       up to the end of a call, whose text is then decoded in one piece
"""

from collections.abc import Callable
from enum import Enum

from attrs import frozen

from actorllm.actors.runner.parse.calls import MAX_CALL, BadCall, Toolbox
from actorllm.actors.runner.parse.parsed import Parsed, Sink
from actorllm.actors.runner.parse.scan import JsonEnd, Scanner, Tags
from actorllm.protocol.chat import ToolCall

__all__ = ["Decode", "Dialect", "Fence", "FencedParser", "Opens", "Spaces"]

Decode = Callable[[str, Toolbox], list[ToolCall]]
"""Reads all calls of one fence; raises `BadCall` unless every one is complete."""


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
class Fence:
    """How calls are set off from the text."""

    open: str
    close: str
    """Empty: the call ends with its JSON value."""
    decode: Decode
    heads: tuple[str, ...] = ()
    """Tags with brackets that come before the JSON value of a fence without a closing tag."""
    seed: str = ""
    """The end of `open` that belongs to the JSON value: the bracket of `[TOOL_CALLS] [`."""
    ends_with: str = ""
    """What a call must end with to be complete where its closing tag is missing."""
    json: bool = False
    """Whether the text is JSON, in whose strings a closing tag means nothing."""


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
        self._state = self._inside if in_thinking else self._opening
        self._content = Edges(self._sink.content, hold=dialect.spaces is not Spaces.KEEP)
        say = _nobody if dialect.hide_thinking else self._sink.thinking
        self._thinking = Edges(say, hold=dialect.trim_thinking)
        self._call: CallText | None = None
        self._lead = ""
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
            self._lead += self._scan.take_spaces()
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
        self._content.write(self._lead)
        self._state = self._say
        return True

    def _begin_thinking(self) -> bool:
        self._thinking.skip_spaces()
        self._state = self._think
        return True

    def _inside(self) -> bool:
        """The prompt opened the thinking; a model may open it once more."""
        self._lead += self._scan.take_spaces()
        if self._scan.empty:
            return False
        again = self._scan.take_tag(self._think_tags)
        if again is None:
            return False
        if again:
            return self._begin_thinking()
        self._thinking.write(self._lead)
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

    def _end_call(self, call: "CallText") -> None:
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


class Edges:
    """Passes text on, but for white space at the edges that are to be trimmed."""

    def __init__(self, say: Callable[[str], None], *, hold: bool) -> None:
        self._say = say
        self._hold = hold
        self._held: list[str] = []
        self._skip = False
        self._hold_next = False

    def skip_spaces(self) -> None:
        """Leave out the white space that comes next."""
        self._skip = True

    def keep_spaces(self) -> None:
        """Pass on the white space that comes next."""
        self._skip = False

    def hold_spaces(self) -> None:
        """Hold the white space that comes next until it is known what follows."""
        self._hold_next = True

    def write(self, text: str) -> None:
        if self._skip:
            text = text.lstrip()
            self._skip = not text
        if self._hold_next and text:
            self._hold_next = text.isspace()
            if self._hold_next:
                self._held.append(text)
                return
        body = text.rstrip() if self._hold else text
        if body:
            self.flush()
            self._say(body)
        if len(body) < len(text):
            self._held.append(text[len(body) :])

    def flush(self) -> None:
        """Pass held white space on: it turned out to be inside."""
        if self._held:
            self._say("".join(self._held))
            self._held = []

    def drop(self) -> None:
        """Forget held white space: it turned out to be an edge."""
        self._held = []


class CallText:
    """The text of one fence while it arrives."""

    def __init__(self, fence: Fence) -> None:
        self._fence = fence
        self._close = Tags([fence.close])
        self._head = Tags([*fence.heads, "{", "["])
        self._json = JsonEnd()
        self._json.follow(fence.seed)
        self._pieces = [fence.open]
        self._size = 0
        self._closed = False

    @property
    def too_long(self) -> bool:
        return self._size > MAX_CALL

    def take(self, scan: Scanner) -> bool:
        """Take text from `scan`; whether the call is complete."""
        take = self._take_to_tag if self._fence.close else self._take_json
        while not scan.empty and not self._closed and take(scan):
            pass
        return self._closed

    def _take_to_tag(self, scan: Scanner) -> bool:
        token = scan.take(self._close)
        self._add(token.text)
        self._add(token.tag)
        if self._fence.json:
            self._json.follow(token.text)
        self._closed = bool(token.tag) and not self._json.in_string
        return bool(token.tag)

    def _take_json(self, scan: Scanner) -> bool:
        if self._json.depth == 0:
            token = scan.take(self._head)
            self._add(token.text)
            self._add(token.tag)
            self._json.follow(token.tag if token.tag not in self._fence.heads else "")
            return bool(token.tag)
        self._add(scan.take_json(self._json))
        self._closed = self._json.depth == 0
        return not self._closed

    def _add(self, text: str) -> None:
        if text:
            self._pieces.append(text)
            self._size += len(text)

    def decode(self, tools: Toolbox) -> list[ToolCall]:
        """Read the calls, closed or not: what is complete without its closing tag is a call."""
        if self.too_long:
            raise BadCall(f"the call is longer than {MAX_CALL} characters")
        body = "".join(self._pieces[1:])
        if self._fence.close:
            cut = len(body) - len(self._fence.close) if self._closed else self._partial(body)
            body = body[:cut]
        if not self._closed and not body.rstrip().endswith(self._fence.ends_with):
            raise BadCall("the call is cut off")
        return self._fence.decode(self._fence.seed + body, tools)

    def _partial(self, body: str) -> int:
        return self._close.held_from(body, 0)

    def spill(self) -> str:
        """Give the text taken so far as it was written."""
        text = "".join(self._pieces)
        self._pieces = []
        return text
