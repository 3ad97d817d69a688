"""Calls without any tag: JSON objects as the first thing said, as Llama 3 writes them."""

import re

from actorllm.actors.runner.parse.calls import MAX_CALL, BadCall, Toolbox
from actorllm.actors.runner.parse.fence import Decode
from actorllm.actors.runner.parse.parsed import Parsed, Sink
from actorllm.actors.runner.parse.scan import JsonEnd, Scanner, Tags

__all__ = ["BareJsonParser"]

_BETWEEN = re.compile(r"[\s;,]*")


class BareJsonParser:
    """Reads calls from the JSON values that an answer begins with.

    Anything else makes all of the answer content, an object that is no call included: it may be
    what the user asked for, so it does not count as unparsed.
    """

    def __init__(self, decode: Decode, tools: Toolbox, *, bracket: str = "{") -> None:
        self._decode = decode
        self._tools = tools
        self._bracket = bracket
        self._opening = Tags([bracket])
        self._sink = Sink()
        self._scan = Scanner()
        self._state = self._between
        self._before: list[str] = []
        self._reset()
        self._called = False

    def _reset(self) -> None:
        self._value: list[str] = []
        self._size = 0
        self._end = JsonEnd()

    def feed(self, text: str) -> Parsed:
        self._scan.push(text)
        self._run()
        return self._sink.take()

    def finish(self) -> Parsed:
        self._scan.close()
        self._run()
        if self._value:
            self._give_up()
        return self._sink.take()

    def _run(self) -> None:
        while not self._scan.empty and self._state():
            pass

    def _between(self) -> bool:
        """Before a value: only white space, and separators behind a call, may come."""
        if self._called:
            self._before.append(self._scan.take_match(_BETWEEN))
        else:
            self._sink.content(self._scan.take_spaces())
        if self._scan.empty:
            return False
        if self._scan.take_tag(self._opening):
            self._end.follow(self._bracket)
            self._value.append(self._bracket)
            self._state = self._collect
        else:
            self._give_up()
        return True

    def _collect(self) -> bool:
        piece = self._scan.take_json(self._end)
        self._value.append(piece)
        self._size += len(piece)
        if self._size > MAX_CALL:
            self._give_up()
        elif self._end.depth == 0:
            self._end_value()
        return True

    def _end_value(self) -> None:
        try:
            calls = self._decode("".join(self._value), self._tools)
        except BadCall:
            self._give_up()
            return
        for call in calls:
            self._sink.call(call)
        self._called = True
        self._before = []
        self._reset()
        self._state = self._between

    def _give_up(self) -> None:
        self._sink.content("".join(self._before + self._value))
        self._before = []
        self._reset()
        self._state = self._plain

    def _plain(self) -> bool:
        self._sink.content(self._scan.take_all())
        return False
