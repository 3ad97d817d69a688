"""The text of calls that is set off by tags, and how it is collected.

Fence      what opens and closes a call, and what decodes its text
CallText   the text of one call while it arrives, bounded by `MAX_CALL`
"""

from collections.abc import Callable

from attrs import frozen

from actorllm.actors.runner.parse.calls import MAX_CALL, BadCall, Toolbox
from actorllm.actors.runner.parse.scan import JsonEnd, Scanner, Tags
from actorllm.protocol.chat import ToolCall

__all__ = ["CallText", "Decode", "Fence"]

Decode = Callable[[str, Toolbox], list[ToolCall]]
"""Reads all calls of one fence; raises `BadCall` unless every one is complete."""


_TELLING = 3
"""Characters of a closing tag that no other tag begins with."""


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
    self_ending: bool = True
    """Whether the text itself shows where a call ends. If not, one without any of its closing tag
    may lack arguments, and is no call."""
    json: bool = False
    """Whether the text is JSON, in whose strings a closing tag means nothing."""


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
            begun = self._close.held_from(body, 0)
            if not (self._closed or self._fence.self_ending or len(body) - begun >= _TELLING):
                raise BadCall("the call is cut off")
            body = body.removesuffix(self._fence.close) if self._closed else body[:begun]
        return self._fence.decode(self._fence.seed + body, tools)

    def spill(self) -> str:
        """Give the text taken so far as it was written."""
        text = "".join(self._pieces)
        self._pieces = []
        return text
